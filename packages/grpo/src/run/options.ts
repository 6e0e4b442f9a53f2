// What decides a GRPO run, as plain data.
import type { AdvantageOptions, DynamicSamplingOptions } from "../config.ts";
import type { LossDistillation, TokenDistillation } from "../distillation/settings.ts";
import type { LossOptions, OverlongOptions } from "../math/index.ts";
import type { RolloutOptions } from "../rollout/options.ts";
import type { UpdateOptions } from "../update/update.ts";

export interface GrpoOptions {
  readonly seed: number;
  /** Groups per step. */
  readonly groups: number;
  readonly rollout: Omit<RolloutOptions, "signal">;
  readonly advantage: AdvantageOptions;
  readonly loss: LossOptions;
  readonly update?: Pick<UpdateOptions, "miniBatch" | "epochs" | "microBatchTokens" | "split"> | undefined;
  /** DAPO: groups whose rewards are all equal make room for others. */
  readonly dynamicSampling?: DynamicSamplingOptions | undefined;
  /** Steps by which a workforce's rollouts may be ahead of the policy; default 0. */
  readonly maxLag?: number | undefined;
  /** Of the run: nothing is begun ahead behind the last. */
  readonly steps?: number | undefined;
  readonly overlong?: OverlongOptions | undefined;
  /** With `scoringTeacher` of the parts. */
  readonly distillation?: TokenDistillation | LossDistillation | undefined;
  /** Score traces by the update's kernels before the update, for adapters on which those of the rollout give other bits. */
  readonly recomputeOldLogProbs?: boolean | undefined;
}
