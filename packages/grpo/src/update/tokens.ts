// What an update knows of each sampled token of its traces. Legend: N tokens, R traces.
import { joinSampledTokens, type SampledBatch, type Trace } from "@iapo/rollout-trace";
import { at } from "../math/batch.ts";

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

export function sampledOf(scored: readonly ScoredTrace[]): SampledBatch {
  return joinSampledTokens(scored.map(({ trace }) => trace));
}

/** [N] values per token of each trace, end to end; the rollout's log-probs where a trace has none of its own. */
export function joinPerToken(
  scored: readonly ScoredTrace[],
  name: "oldLogProbs" | "referenceLogProbs",
  { offsets, logProbs }: SampledBatch,
): Float32Array {
  const joined = logProbs.slice();
  for (const [row, one] of scored.entries()) {
    const own = one[name];
    if (own) joined.set(own, at(offsets, row));
  }
  return joined;
}

/** [N] the advantage of each token's turn. */
export function advantagesPerToken(scored: readonly ScoredTrace[], { offsets, turns }: SampledBatch): Float64Array {
  const advantages = new Float64Array(turns.length);
  for (const [row, one] of scored.entries()) {
    const end = at(offsets, row + 1);
    for (let token = at(offsets, row); token < end; token++) advantages[token] = at(one.advantages, at(turns, token));
  }
  return advantages;
}
