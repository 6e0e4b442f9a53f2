// The functions by which rollout-trace's `replayStep` recomputes a step of a GRPO run from its file, without a GPU.
import { joinSampledTokens, type ReplayedUpdate, type ReplayFunctions } from "@iapo/rollout-trace";
import { tokenAdvantages } from "../distillation/token.ts";
import { computeLoss, type LossInputs, type LossOptions, overlongPenalty } from "../math/index.ts";
import { advantagesPerToken, countedTokens } from "../update/tokens.ts";
import type { GrpoOptions } from "./options.ts";
import { type AdvantageFunction, advantageFunction } from "./shaping.ts";

export interface ReplayParts {
  /** Rewards by part, recomputed from the trace. */
  readonly rewards: ReplayFunctions["rewards"];
  /** What the run's own penalty function made of the evidence; default 0. */
  readonly penalty?: ReplayFunctions["penalty"] | undefined;
  /** In place of the options' advantage. */
  readonly advantage?: AdvantageFunction | undefined;
}

export type ReplayOptions = Pick<GrpoOptions, "loss" | "overlong" | "advantage" | "distillation">;

/** For runs whose loss is one of the named ones: that of a custom loss is not computed on the CPU. */
export function replayFunctions(
  { loss, overlong, advantage, distillation }: ReplayOptions,
  parts: ReplayParts,
): ReplayFunctions {
  const ofRewards = parts.advantage ?? advantageFunction(advantage);
  const mix = distillation?.kind === "loss" ? distillation.mix : undefined;
  return {
    rewards: parts.rewards,
    advantage: distillation?.kind === "token" ? tokenAdvantages(distillation, ofRewards) : ofRewards,
    penalty: (trace, evidence) => {
      const length = trace.turns.reduce((sum, { logProbs }) => sum + logProbs.length, 0);
      const own = parts.penalty?.(trace, evidence) ?? 0;
      return own - (overlong ? overlongPenalty(length, overlong) : 0) + (evidence.kl_penalty?.[0] ?? 0);
    },
    loss: (update) => computeLoss(lossInputs(update, loss, mix), loss).loss,
  };
}

/** @param mix of distillation by loss */
function lossInputs(update: ReplayedUpdate, loss: LossOptions, mix: number | undefined): LossInputs {
  const traces = update.map(({ trace }) => trace);
  const { offsets, turns, logProbs: rolloutLogProbs } = joinSampledTokens(traces);
  const joined = (values: (sample: ReplayedUpdate[number]) => Float32Array | undefined): Float32Array => {
    const all = new Float32Array(turns.length);
    for (const [row, sample] of update.entries()) all.set(values(sample) ?? [], offsets[row]);
    return all;
  };
  return {
    batch: {
      offsets,
      mask: countedTokens(loss, traces, { offsets, turns }),
      logProbs: joined(({ logProbs }) => logProbs),
      oldLogProbs: joined(({ oldLogProbs }) => oldLogProbs),
    },
    advantages: advantagesPerToken(update, { offsets, turns }),
    referenceLogProbs: update[0]?.referenceLogProbs && joined(({ referenceLogProbs }) => referenceLogProbs),
    rolloutLogProbs,
    distillation: mix === undefined ? undefined : { mix, divergences: joined(({ divergences }) => divergences) },
  };
}
