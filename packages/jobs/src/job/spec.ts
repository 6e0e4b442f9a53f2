// What training by one section of a configuration is, and the parts it is made of.
import type { Metrics, PromptLimit, Recipe, TrainOptions } from "@iapo/grpo";
import type { ConfigurationFacts, ConfigurationProblems } from "@iapo/grpo/config";
import type { QwenVLPolicy } from "@iapo/qwen-vl-model";
import type { Environment } from "@iapo/rollout-trace";
import type { Device } from "@iapo/tensor-core";
import type { FleetWorkforce } from "../fleet/workforce.ts";
import type { JobTasks } from "../parts/own-environment.ts";

/** What a recipe is made of. */
export interface JobParts {
  /** Of the run. */
  readonly directory: string;
  readonly device: Device;
  readonly policy: QwenVLPolicy;
  readonly tasks: JobTasks;
  readonly environment: Environment;
  /** Whether kernels that must agree do so to the bit on this adapter. */
  readonly parity: boolean;
  /** Others who do parts of the work. */
  readonly workforce?: FleetWorkforce | undefined;
  readonly signal: AbortSignal;
  readonly onPhase: (phase: string) => void;
  readonly onWarning: (message: string) => void;
}

/** Reinforcement learning by `grpo`, or supervised learning by `supervised`. */
export interface JobSpec {
  readonly kind: "train" | "sft";
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
  build(parts: JobParts): Promise<BuiltJob>;
}

export interface BuiltJob {
  readonly recipe: Recipe & AsyncDisposable;
  readonly evaluate?: TrainOptions["evaluate"];
}

/** A recipe that frees itself, and then what it was made of; where it cannot be made, that at once. */
export async function closing(
  make: () => Recipe,
  also: () => Promise<void> = async () => {},
): Promise<Recipe & AsyncDisposable> {
  let recipe: Recipe;
  try {
    recipe = make();
  } catch (error) {
    await also();
    throw error;
  }
  return {
    ...recipe,
    async [Symbol.asyncDispose]() {
      recipe.dispose();
      await also();
    },
  };
}
