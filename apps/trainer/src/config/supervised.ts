// The section `supervised`.
import { type OptimizerSettings, optimizerSettingsSchema } from "@iapo/grpo/config";
import { z } from "zod";

const count = z.int().min(1);
const share = z.number().min(0).max(1).default(0);

export interface SupervisedSettings {
  readonly seed: number;
  readonly steps: number;
  /** Examples per step. */
  readonly batch: number;
  readonly rowBudget?: number | undefined;
  /** Shares of the examples; the rest is whole demonstrations. */
  readonly mixture: {
    readonly captions: number;
    readonly edited: number;
    readonly copies: number;
    readonly renamed: number;
  };
  readonly optimizer: OptimizerSettings;
  readonly checkpoint: { readonly every: number; readonly keep: number };
  readonly evaluate?: { readonly every: number; readonly tasks: number; readonly maxTokens: number } | undefined;
}

export const supervisedSchema: z.ZodType<SupervisedSettings, unknown> = z.strictObject({
  seed: z.int().min(0).default(0),
  steps: count.default(100),
  batch: count.default(32).describe("Examples per step."),
  rowBudget: count.optional(),
  mixture: z
    .strictObject({
      captions: share,
      edited: share.default(0.5).describe("Of the captions: pictures that a tool has edited."),
      copies: share,
      renamed: share.describe("Charts under names that they do not show."),
    })
    .refine(({ captions, copies, renamed }) => captions + copies + renamed <= 1, {
      error: "the shares sum to more than 1",
    })
    .prefault({})
    .describe("Shares of the examples; the rest is whole demonstrations."),
  optimizer: optimizerSettingsSchema.prefault({}),
  checkpoint: z.strictObject({ every: count.default(100), keep: count.default(2) }).prefault({}),
  evaluate: z.strictObject({ every: count, tasks: count, maxTokens: count.default(128) }).optional(),
});
