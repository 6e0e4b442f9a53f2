// The settings of a GRPO run, as code gets them: defaults filled in.
import type { AdvantageOptions } from "../advantages/registry.ts";
import type { LossOptions, OverlongOptions } from "../math/index.ts";
import type { DynamicSamplingOptions } from "./loss.ts";

export interface RolloutSettings {
  /** Responses per task. */
  readonly samples: number;
  readonly sampling: {
    readonly temperature: number;
    readonly topP?: number | undefined;
    readonly topK?: number | undefined;
  };
  readonly maxTokens: number;
  readonly maxTurns: number;
  /** Tokens of a task's first prompt at most: every task is looked at before the run. */
  readonly maxPromptTokens?: number | undefined;
  readonly onLongPrompt: "fail" | "skip";
  readonly onFailure: "drop" | "penalize" | "stop";
  readonly failureReward: number;
  readonly timeoutMs?: number | undefined;
  readonly groupsAtOnce?: number | undefined;
}

export interface OptimizerSettings {
  readonly learningRate: number;
  readonly schedule: "constant" | "linear" | "cosine";
  readonly warmupSteps: number;
  /** Optimizer steps until the schedule's end; for `linear` and `cosine`. */
  readonly totalSteps?: number | undefined;
  readonly betas: readonly [number, number];
  readonly epsilon: number;
  readonly weightDecay: number;
  /** Gradients are scaled down to this global norm. */
  readonly maxNorm: number;
}

export interface GrpoSettings {
  readonly seed: number;
  readonly steps: number;
  /** Tasks per step. */
  readonly groups: number;
  readonly rollout: RolloutSettings;
  readonly advantage: AdvantageOptions;
  readonly loss: LossOptions;
  readonly update: {
    readonly miniBatch?: number | undefined;
    readonly epochs: number;
    readonly microBatchTokens?: number | undefined;
    readonly split?: "packed" | "group" | undefined;
  };
  readonly dynamicSampling?: DynamicSamplingOptions | undefined;
  /** Steps by which workers' rollouts may be ahead of the policy. */
  readonly maxLag?: number | undefined;
  readonly overlong?: OverlongOptions | undefined;
  readonly recomputeOldLogProbs: boolean;
  readonly optimizer: OptimizerSettings;
  /** Optimizer steps in a row that may be skipped because their numbers are not finite. */
  readonly maxSkippedSteps: number;
  readonly checkpoint: { readonly every: number; readonly keep: number };
  /** Tasks, and responses to each, every so many steps. */
  readonly evaluate?: { readonly every: number; readonly tasks: number; readonly samples: number } | undefined;
  /** Modules of the user's own functions: see `loadFunction`. */
  readonly functions: {
    readonly reward?: string | undefined;
    readonly penalty?: string | undefined;
    readonly advantage?: string | undefined;
    readonly loss?: string | undefined;
  };
}
