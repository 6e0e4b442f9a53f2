// The section `supervised`.
import { type OptimizerSettings, optimizerSettingsSchema } from "@iapo/grpo/config";
import { z } from "zod";

const count = z.int().min(1);
const rate = z.number().min(0).max(1).default(0);

export interface SupervisedSettings {
  readonly seed: number;
  readonly steps: number;
  /** Examples per step. */
  readonly batchSize: number;
  readonly microBatchTokens?: number | undefined;
  /** Shares of the examples; the rest is whole demonstrations. */
  readonly mixture: {
    readonly captions: number;
    readonly edited: number;
    readonly copies: number;
    readonly renamed: number;
    readonly lookups: number;
    readonly glossaries: number;
    readonly chains: number;
  };
  readonly optimizer: OptimizerSettings;
  readonly checkpoint: { readonly every: number; readonly keep: number };
  readonly evaluate?: { readonly every: number; readonly tasks: number; readonly maxTokens: number } | undefined;
}

export const supervisedSchema: z.ZodType<SupervisedSettings, unknown> = z.strictObject({
  seed: z.int().min(0).default(0).describe("Of the order of examples."),
  steps: count.default(100).describe("Optimizer steps."),
  batchSize: count.default(32).describe("Examples per step."),
  microBatchTokens: count.optional().describe("Tokens in one forward and backward pass at most."),
  mixture: z
    .strictObject({
      captions: rate.describe("Say what a chart shows."),
      edited: rate.default(0.5).describe("Of the captions: pictures that a tool has edited."),
      copies: rate.describe("Copy names."),
      renamed: rate.describe("Charts under names that they do not show."),
      lookups: rate.describe("Tools in context by what they do, without a picture: any of them on each line."),
      glossaries: rate.describe("The same, each of them once, in the usual order."),
      chains: rate.describe("Names run together, and again."),
    })
    .refine(({ edited, ...shares }) => Object.values(shares).reduce((sum, share) => sum + share, 0) <= 1, {
      error: "the shares sum to more than 1",
    })
    .prefault({})
    .describe("Shares of the examples; the rest is whole demonstrations."),
  optimizer: optimizerSettingsSchema.prefault({}).describe("AdamW and its schedule."),
  checkpoint: z
    .strictObject({
      every: count.default(100).describe("Steps between checkpoints."),
      keep: count.default(2).describe("Newest checkpoints that are kept."),
    })
    .prefault({})
    .describe("When checkpoints are written."),
  evaluate: z
    .strictObject({
      every: count.describe("Steps between evaluations."),
      tasks: count.describe("Held-out tasks."),
      maxTokens: count.default(128).describe("Tokens of a turn at most."),
    })
    .optional()
    .describe("Evaluation on held-out tasks while training."),
});
