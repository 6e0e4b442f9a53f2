// What a configuration file may say. Each package owns the schema of its part; here they are put together.
import {
  type GrpoSettings,
  grpoSettingsSchema,
  type OptimizerSettings,
  optimizerSettingsSchema,
} from "@iapo/grpo/config";
import type { EnvironmentOptions, JudgeOptions, NanoChartOptions } from "@iapo/vqa-tasks";
import {
  type DataOptions,
  dataOptionsSchema,
  environmentOptionsSchema,
  judgeOptionsSchema,
  nanoChartOptionsSchema,
} from "@iapo/vqa-tasks/config";
import { z } from "zod";

const count = z.int().min(1);

export interface ModelSettings {
  /** A checkpoint directory, or the name of a shipped model. */
  readonly directory?: string | undefined;
  /** In place of `directory`. */
  readonly hub?: { readonly repository: string; readonly revision?: string | undefined } | undefined;
  /** Random weights from this seed, in place of those of the checkpoint. */
  readonly initialize?: number | undefined;
  /** How matrices are held: default as the checkpoint has them. */
  readonly dtype?: "f32" | "bf16" | undefined;
  /** Train an adapter in place of the weights. `targets` names modules as PEFT does; default all projections of the text decoder. */
  readonly lora?:
    | { readonly rank: number; readonly alpha: number; readonly targets?: readonly string[] | undefined }
    | undefined;
  /** Recompute each layer in the backward pass in place of keeping its activations. */
  readonly recompute: boolean;
  readonly minPixels?: number | undefined;
  readonly maxPixels?: number | undefined;
}

const modelSchema: z.ZodType<ModelSettings, unknown> = z
  .strictObject({
    directory: z.string().min(1).optional().describe("A checkpoint directory, or the name of a shipped model."),
    hub: z
      .strictObject({ repository: z.string().min(1), revision: z.string().min(1).optional() })
      .optional()
      .describe("A model on a hub, in place of directory."),
    initialize: z.int().min(0).optional().describe("Random weights from this seed, in place of the checkpoint's."),
    dtype: z.enum(["f32", "bf16"]).optional().describe("How matrices are held; default as the checkpoint has them."),
    lora: z
      .strictObject({
        rank: count,
        alpha: z.number().gt(0),
        targets: z.array(z.string().min(1)).min(1).optional(),
      })
      .optional()
      .describe("Train an adapter in place of the weights."),
    recompute: z.boolean().default(false).describe("Recompute each layer's activations in the backward pass."),
    minPixels: count.optional(),
    maxPixels: count.optional(),
  })
  .refine(({ directory, hub }) => (directory === undefined) !== (hub === undefined), {
    error: "give either directory or hub",
  });

export interface DataSettings {
  readonly nanoCharts?: NanoChartOptions | undefined;
  readonly files?: DataOptions | undefined;
  /** Held-out tasks beside `files`; nano-charts have a split of their own. */
  readonly validation?: DataOptions | undefined;
  /** Tasks that training draws from at most. */
  readonly limit?: number | undefined;
}

const dataSchema: z.ZodType<DataSettings, unknown> = z
  .strictObject({
    nanoCharts: nanoChartOptionsSchema.optional().describe("Small bar charts, drawn on the fly."),
    files: dataOptionsSchema.optional().describe("Charts or tables in a published format."),
    validation: dataOptionsSchema.optional().describe("Held-out tasks beside files."),
    limit: count.optional().describe("Tasks that training draws from at most."),
  })
  .refine(({ nanoCharts, files }) => (nanoCharts === undefined) !== (files === undefined), {
    error: "give either nanoCharts or files",
  })
  .refine(({ files, validation }) => files !== undefined || validation === undefined, {
    error: "nano-charts have a validation split of their own",
    path: ["validation"],
  });

export interface SupervisedSettings {
  readonly seed: number;
  readonly steps: number;
  /** Examples per step. */
  readonly batch: number;
  readonly rowBudget?: number | undefined;
  /** Shares of the examples; the rest is whole demonstrations. */
  readonly mixture: { readonly captions: number; readonly copies: number };
  readonly optimizer: OptimizerSettings;
  readonly checkpoint: { readonly every: number; readonly keep: number };
  readonly evaluate?: { readonly every: number; readonly tasks: number; readonly maxTokens: number } | undefined;
}

const share = z.number().min(0).max(1).default(0);

const supervisedSchema: z.ZodType<SupervisedSettings, unknown> = z.strictObject({
  seed: z.int().min(0).default(0),
  steps: count.default(100),
  batch: count.default(32).describe("Examples per step."),
  rowBudget: count.optional(),
  mixture: z
    .strictObject({ captions: share, copies: share })
    .refine(({ captions, copies }) => captions + copies <= 1, { error: "the shares sum to more than 1" })
    .prefault({})
    .describe("Shares of the examples; the rest is whole demonstrations."),
  optimizer: optimizerSettingsSchema.prefault({}),
  checkpoint: z.strictObject({ every: count.default(100), keep: count.default(2) }).prefault({}),
  evaluate: z.strictObject({ every: count, tasks: count, maxTokens: count.default(128) }).optional(),
});

export interface TrainerConfig {
  /** The run's directory. */
  readonly output?: string | undefined;
  readonly model: ModelSettings;
  readonly data: DataSettings;
  readonly environment: EnvironmentOptions;
  /** Where the environment's scoring is `judge`. Its key comes from the environment variable IAPO_JUDGE_KEY. */
  readonly judge?: Omit<JudgeOptions, "apiKey" | "record" | "recorded"> | undefined;
  readonly grpo: GrpoSettings;
  readonly supervised?: SupervisedSettings | undefined;
}

/** A whole configuration, after `extends` was followed. */
export const trainerConfigSchema: z.ZodType<TrainerConfig, unknown> = z
  .strictObject({
    output: z.string().min(1).optional().describe("The run's directory; default runs/ and the configuration's name."),
    model: modelSchema,
    data: dataSchema,
    environment: environmentOptionsSchema.prefault({}),
    judge: judgeOptionsSchema.optional().describe("For scoring by a judge; its key comes from IAPO_JUDGE_KEY."),
    grpo: grpoSettingsSchema.prefault({}).describe("What iapo train does."),
    supervised: supervisedSchema.optional().describe("What iapo sft does."),
  })
  .refine(({ environment, judge }) => environment.scoring.scoring !== "judge" || judge !== undefined, {
    error: "scoring by a judge needs the section judge",
    path: ["environment", "scoring"],
  });
