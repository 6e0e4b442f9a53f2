// The sampled tokens of traces, laid end to end: trace by trace, turn by turn. Legend: N tokens, R traces.
import type { Trace, Trajectory } from "@iapo/rollout-trace";

/** A trace with what an update needs of it. */
export interface ScoredTrace {
  readonly trace: Trace;
  /** [turns] the advantage of each turn's tokens. */
  readonly advantages: readonly number[];
  /** [tokens of the trace] under the policy before the step's first update; those of the rollout where absent. */
  readonly oldLogProbs?: Float32Array | undefined;
  /** [tokens of the trace] where KL asks. */
  readonly referenceLogProbs?: Float32Array | undefined;
}

/** Responses to one prompt. */
export type ScoredGroup = readonly ScoredTrace[];

export interface Tokens {
  /** [R + 1] trace r holds the tokens `offsets[r]` to `offsets[r + 1] - 1`. */
  readonly offsets: Int32Array;
  /** [N] as the rollout measured them. */
  readonly rolloutLogProbs: Float64Array;
  /** [N] index of the turn. */
  readonly turnOfToken: Int32Array;
}

export function tokensOf(traces: readonly Trajectory[]): Tokens {
  const offsets = [0];
  const turnOfToken: number[] = [];
  const logProbs: number[] = [];
  for (const { turns } of traces) {
    turns.forEach((turn, index) => {
      for (const logProb of turn.logProbs) {
        logProbs.push(logProb);
        turnOfToken.push(index);
      }
    });
    offsets.push(logProbs.length);
  }
  return {
    offsets: Int32Array.from(offsets),
    rolloutLogProbs: Float64Array.from(logProbs),
    turnOfToken: Int32Array.from(turnOfToken),
  };
}

/** Values per token of each trace, end to end; the rollout's where a trace has none of its own. */
export function joinPerToken(
  scored: readonly ScoredTrace[],
  name: "oldLogProbs" | "referenceLogProbs",
  { offsets, rolloutLogProbs }: Tokens,
): Float64Array {
  const joined = rolloutLogProbs.slice();
  scored.forEach((one, row) => {
    const own = one[name];
    if (own) joined.set(own, offsets[row]!);
  });
  return joined;
}
