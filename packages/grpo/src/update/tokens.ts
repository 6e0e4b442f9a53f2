// What an update knows of each sampled token of its traces. Legend: N tokens, R traces.
import type { ImageRef, SampledBatch, Trace, TurnAdvantage } from "@iapo/rollout-trace";
import type { LikeliestIds } from "../distillation/divergence.ts";
import type { LossSettings } from "../losses/define.ts";
import { at, turnMask } from "../math/batch.ts";

/** A trace with what an update needs of it. */
export interface ScoredTrace {
  readonly trace: Trace;
  /** [turns] */
  readonly advantages: readonly TurnAdvantage[];
  /** [tokens of the trace] under the policy before the step's first update; those of the rollout where absent. */
  readonly oldLogProbs?: Float32Array | undefined;
  /** [tokens of the trace] where KL asks. */
  readonly referenceLogProbs?: Float32Array | undefined;
  /** At each of its tokens, where distillation takes the likeliest ids only. */
  readonly likeliest?: LikeliestIds | undefined;
}

/** Responses to one prompt. */
export type ScoredGroup = readonly ScoredTrace[];

/** [N] 1 where the loss counts the token: of which turns, and whether of responses that were cut off. */
export function countedTokens(
  { turns: wanted, maskTruncated }: Pick<LossSettings, "turns" | "maskTruncated">,
  traces: readonly Pick<Trace<ImageRef>, "turns">[],
  { offsets, turns }: Pick<SampledBatch, "offsets" | "turns">,
): Uint8Array {
  const mask = turnMask(wanted, { offsets, mask: new Uint8Array(turns.length).fill(1) }, turns);
  if (!maskTruncated) return mask;
  for (const [row, trace] of traces.entries()) {
    if (trace.turns.some(({ finish }) => finish === "length")) mask.fill(0, offsets[row], offsets[row + 1]);
  }
  return mask;
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

/** [N] the advantage of each token: its own, or that of its turn. */
export function advantagesPerToken(
  scored: readonly { readonly advantages: readonly TurnAdvantage[] }[],
  { offsets, turns }: Pick<SampledBatch, "offsets" | "turns">,
): Float64Array {
  const advantages = new Float64Array(turns.length);
  for (const [row, one] of scored.entries()) {
    const end = at(offsets, row + 1);
    for (let token = at(offsets, row), place = 0; token < end; token++) {
      const turn = at(turns, token);
      place = token > at(offsets, row) && at(turns, token - 1) === turn ? place + 1 : 0;
      const ofTurn = at(one.advantages, turn);
      advantages[token] = typeof ofTurn === "number" ? ofTurn : at(ofTurn, place);
    }
  }
  return advantages;
}
