// Strict schemas of a GRPO run: rollouts, update, optimizer, checkpoints, evaluation. Defaults: docs/method.md D.2.
import { z } from "zod";
import type { AdvantageOptions } from "../advantages/registry.ts";
import { lossDefinition } from "../losses/registry.ts";
import type { LossOptions, OverlongOptions } from "../math/index.ts";
import { advantageInputSchema, type DynamicSamplingOptions, dynamicSamplingSchema, lossOptionsSchema } from "./loss.ts";
import { configurationProblems } from "./problems.ts";

const count = z.int().min(1);
const positive = z.number().gt(0);

/** More than any machine does in one step: such a number is a slip, and is told before it takes the memory. */
const [MOST_GROUPS, MOST_SAMPLES, MOST_TOKENS, MOST_TURNS] = [65_536, 4096, 1_048_576, 1000];
/** AdamW moves each weight by about the learning rate in a step: weights are lost at once above this. */
const MOST_LEARNING_RATE = 1;

export type RolloutSettings = {
  /** Responses per task. */
  readonly samples: number;
  readonly sampling: {
    readonly temperature: number;
    readonly topP?: number | undefined;
    readonly topK?: number | undefined;
  };
  readonly maxTokens: number;
  readonly maxTurns: number;
  readonly onFailure: "drop" | "penalize" | "stop";
  readonly failureReward: number;
  readonly timeout?: number | undefined;
  readonly groupsAtOnce?: number | undefined;
};

/** `{ "samples": 8, "sampling": { "temperature": 1 }, "maxTokens": 512, "onFailure": "drop", "timeout": 60000 }` */
export const rolloutSettingsSchema: z.ZodType<RolloutSettings, unknown> = z.strictObject({
  samples: count.max(MOST_SAMPLES).default(8),
  sampling: z
    .strictObject({
      temperature: z.number().min(0).default(1),
      topP: positive.max(1).optional(),
      topK: count.optional(),
    })
    .default({ temperature: 1 }),
  maxTokens: count.max(MOST_TOKENS).default(512),
  maxTurns: count.max(MOST_TURNS).default(2),
  onFailure: z.enum(["drop", "penalize", "stop"]).default("stop"),
  failureReward: z.number().default(0),
  timeout: positive.optional(),
  groupsAtOnce: count.optional(),
});

export type OptimizerSettings = {
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
};

/** `{ "learningRate": 1e-6, "schedule": "constant", "warmupSteps": 0 }`: AdamW; toy models need 1e-4 to 1e-3. */
export const optimizerSettingsSchema: z.ZodType<OptimizerSettings, unknown> = z
  .strictObject({
    learningRate: positive
      .max(MOST_LEARNING_RATE, {
        error: `AdamW moves each weight by about this in a step: at most ${MOST_LEARNING_RATE}`,
      })
      .default(1e-6),
    schedule: z.enum(["constant", "linear", "cosine"]).default("constant"),
    warmupSteps: z.int().min(0).default(0),
    totalSteps: count.optional(),
    betas: z.tuple([z.number().min(0).lt(1), z.number().min(0).lt(1)]).default([0.9, 0.999]),
    epsilon: positive.default(1e-8),
    weightDecay: z.number().min(0).default(0.01),
    maxNorm: positive.default(1),
  })
  .refine(({ schedule, totalSteps }) => schedule === "constant" || totalSteps !== undefined, {
    error: "a linear or cosine schedule needs totalSteps: it is at 0 by then",
    path: ["totalSteps"],
  })
  .refine(({ warmupSteps, totalSteps }) => totalSteps === undefined || totalSteps > warmupSteps, {
    error: "totalSteps must be more than warmupSteps",
    path: ["totalSteps"],
  });

export type GrpoSettings = {
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
    readonly rowBudget?: number | undefined;
  };
  readonly dynamicSampling?: DynamicSamplingOptions | undefined;
  readonly overlong?: OverlongOptions | undefined;
  readonly recomputeOldLogProbs: boolean;
  readonly optimizer: OptimizerSettings;
  /** Optimizer steps in a row that may be skipped because their numbers are not finite. */
  readonly maxSkippedSteps: number;
  readonly checkpoint: { readonly every: number; readonly keep: number };
  /** Tasks, and responses to each, every so many steps. */
  readonly evaluate?: { readonly every: number; readonly tasks: number; readonly n: number } | undefined;
  /** Modules of the user's own functions: see `loadFunction`. */
  readonly functions: {
    readonly reward?: string | undefined;
    readonly advantage?: string | undefined;
    readonly loss?: string | undefined;
  };
};

/** A whole GRPO run; `{}` is one with published defaults, of 100 steps. */
export const grpoSettingsSchema: z.ZodType<GrpoSettings, unknown> = z
  .strictObject({
    seed: z.int().min(0).default(0),
    steps: count.default(100),
    groups: count.max(MOST_GROUPS).default(8),
    rollout: rolloutSettingsSchema.prefault({}),
    advantage: advantageInputSchema.prefault({}),
    loss: lossOptionsSchema.prefault({ kind: "dapo" }),
    update: z
      .strictObject({ miniBatch: count.optional(), epochs: count.default(1), rowBudget: count.optional() })
      .prefault({}),
    dynamicSampling: dynamicSamplingSchema.optional(),
    overlong: z
      .strictObject({ maximum: count, buffer: count })
      .refine(({ maximum, buffer }) => buffer <= maximum, {
        error: "the buffer is part of the maximum",
        path: ["buffer"],
      })
      .optional(),
    recomputeOldLogProbs: z.boolean().default(false),
    optimizer: optimizerSettingsSchema.prefault({}),
    maxSkippedSteps: count.default(3),
    checkpoint: z.strictObject({ every: count.default(10), keep: count.default(3) }).prefault({}),
    evaluate: z.strictObject({ every: count, tasks: count, n: count.default(1) }).optional(),
    functions: z
      .strictObject({ reward: z.string().optional(), advantage: z.string().optional(), loss: z.string().optional() })
      .default({}),
  })
  .transform(({ advantage, loss, ...settings }): GrpoSettings => {
    const { scale = lossDefinition(loss.kind).advantageScale ?? "group", ...others } = advantage;
    const longest = settings.rollout.maxTokens * (loss.turns === "all" ? settings.rollout.maxTurns : 1);
    const constantLength = loss.aggregation === "constant" ? (loss.constantLength ?? longest) : loss.constantLength;
    return {
      ...settings,
      advantage: { ...others, scale },
      loss: { ...loss, ...(constantLength !== undefined && { constantLength }) },
    };
  })
  .superRefine((settings, context) => {
    for (const { path, message } of configurationProblems(settings).errors)
      context.addIssue({ code: "custom", path: [...path], message });
  });
