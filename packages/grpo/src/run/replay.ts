// The functions by which rollout-trace's `replayStep` recomputes a step of a GRPO run from its file, without a GPU.
import type { ReplayedUpdate, ReplayFunctions } from "@iapo/rollout-trace";
import { computeLoss, type LossInputs, type LossOptions, overlongPenalty, turnMask } from "../math/index.ts";
import type { GrpoOptions } from "./options.ts";
import { type AdvantageFunction, advantageFunction } from "./shaping.ts";

export interface ReplayParts {
  /** Rewards by part, anew from the trace. */
  readonly rewards: ReplayFunctions["rewards"];
  /** What the run's own penalty function made of the evidence; default 0. */
  readonly penalty?: ReplayFunctions["penalty"] | undefined;
  /** In place of the options' advantage. */
  readonly advantage?: AdvantageFunction | undefined;
}

/** For runs whose loss is one of the named ones: that of a custom loss is not computed on the CPU. */
export function replayFunctions(
  { loss, overlong, advantage }: Pick<GrpoOptions, "loss" | "overlong" | "advantage">,
  parts: ReplayParts,
): ReplayFunctions {
  return {
    rewards: parts.rewards,
    advantage: parts.advantage ?? advantageFunction(advantage),
    penalty: (trace, evidence) => {
      const length = trace.turns.reduce((sum, { logProbs }) => sum + logProbs.length, 0);
      const own = parts.penalty?.(trace, evidence) ?? 0;
      return own - (overlong ? overlongPenalty(length, overlong) : 0) + (evidence.kl_penalty?.[0] ?? 0);
    },
    loss: (update) => computeLoss(lossInputs(update, loss), loss).loss,
  };
}

function lossInputs(update: ReplayedUpdate, { turns }: LossOptions): LossInputs {
  const joined = (values: (sample: ReplayedUpdate[number]) => Iterable<number>): number[] =>
    update.flatMap((sample) => [...values(sample)]);
  const offsets = [0];
  for (const { logProbs } of update) offsets.push(offsets.at(-1)! + logProbs.length);
  const all = { offsets, mask: new Uint8Array(offsets.at(-1)!).fill(1) };
  const turnOfToken = joined((sample) => sample.turnOfToken);
  return {
    batch: {
      offsets,
      mask: turnMask(turns, all, turnOfToken),
      logProbs: joined(({ logProbs }) => logProbs),
      oldLogProbs: joined(({ oldLogProbs }) => oldLogProbs),
    },
    advantages: joined(({ turnOfToken: turn, advantages }) => Array.from(turn, (index) => advantages[index]!)),
    referenceLogProbs: update[0]?.referenceLogProbs && joined(({ referenceLogProbs }) => referenceLogProbs!),
    rolloutLogProbs: joined(({ rolloutLogProbs }) => rolloutLogProbs),
  };
}
