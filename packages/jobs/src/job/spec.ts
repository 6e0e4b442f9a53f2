// What a command that makes a run brings along, and what it is given to make it of.
import type { Metrics, PromptLimit, Recipe, TrainOptions } from "@iapo/grpo";
import type { ConfigurationFacts, ConfigurationProblems } from "@iapo/grpo/config";
import type { QwenVLPolicy } from "@iapo/qwen-vl-model";
import type { Environment } from "@iapo/rollout-trace";
import type { Device } from "@iapo/tensor-core";
import type { OpenTasks } from "@iapo/vqa-tasks/sources";

/** What a recipe is made of. */
export interface Parts {
  /** Of the run. */
  readonly directory: string;
  readonly device: Device;
  readonly policy: QwenVLPolicy;
  readonly tasks: OpenTasks;
  readonly environment: Environment;
  /** Whether kernels that must agree do so to the bit on this adapter. */
  readonly parity: boolean;
  readonly signal: AbortSignal;
  readonly onPhase: (phase: string) => void;
  readonly onWarning: (message: string) => void;
}

/** A command's own part. */
export interface Job {
  readonly command: "train" | "sft";
  /** Of the configuration. */
  readonly section: "grpo" | "supervised";
  readonly seed: number;
  readonly steps: number;
  readonly checkpoint: TrainOptions["checkpoint"];
  readonly maxSkippedSteps?: TrainOptions["maxSkippedSteps"];
  /** What decides the result, for the resume to insist on: plain data, with the keys of a configuration. */
  readonly settings: object;
  /** Where prompts have a limit. */
  readonly promptLimit?: Pick<PromptLimit, "maximum" | "onLongPrompt"> | undefined;
  /** Tokens that a step with these metrics wrote, or learned from. */
  readonly tokensOf: (metrics: Metrics) => number;
  /** What the settings of its section cannot do, or will hardly do. */
  problems(facts: ConfigurationFacts): ConfigurationProblems;
  build(parts: Parts): Promise<JobParts>;
}

export interface JobParts {
  readonly recipe: Recipe & AsyncDisposable;
  readonly evaluate?: TrainOptions["evaluate"];
}

/** A recipe that frees itself, and then what it was made of. */
export function closing(recipe: Recipe, also: () => Promise<void> = async () => {}): Recipe & AsyncDisposable {
  return {
    ...recipe,
    async [Symbol.asyncDispose]() {
      recipe.dispose();
      await also();
    },
  };
}
