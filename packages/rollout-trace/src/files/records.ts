// The lines of a step file: `step`, then each `group` followed by its `sample`s, then `shaping`, `update`s, `metrics`, `end`. What
// the samples of a group share (task, prompt) stands once, in its `group`.
import { z } from "zod";
import { int16ArraySchema, int32ArraySchema } from "../arrays.ts";
import { type ImageRef, imageRefSchema } from "../image.ts";
import { type PromptBlock, promptBlockSchema } from "../prompt.ts";
import {
  type FailedEpisode,
  failedEpisodeSchema,
  metricsSchema,
  type SampleLog,
  type StepLog,
  sampleLogSchema,
  type UpdateLog,
  updateLogSchema,
} from "../step.ts";
import { type Task, taskSchema } from "../task.ts";
import { type ToolOutcome, toolOutcomeSchema } from "../tool-outcome.ts";
import { traceVersion } from "../trace.ts";
import { type Turn, turnSchema } from "../turn.ts";

/** P = tokens of the prompt: what stands before the first sampled token of the first turn. */
export interface StoredPrompt {
  readonly tokens: Int32Array<ArrayBuffer>;
  readonly blocks: Int16Array<ArrayBuffer>;
  readonly images: readonly ImageRef[];
  readonly positions?: Int32Array<ArrayBuffer> | undefined;
  readonly patches?: readonly string[] | undefined;
}

export interface StoredGroup {
  readonly kind: "group";
  readonly group: number;
  readonly task: Task;
  /** The blocks that all samples begin with. */
  readonly blocks: readonly PromptBlock<ImageRef>[];
  readonly prompt: StoredPrompt;
}

export interface StoredSample {
  readonly kind: "sample";
  readonly sample: number;
  readonly policyVersion: number;
  /** The blocks after those of the group. */
  readonly blocks: readonly PromptBlock<ImageRef>[];
  /** The first without the group's prompt. */
  readonly turns: readonly Turn<ImageRef>[];
  readonly toolOutcomes: readonly ToolOutcome<ImageRef>[];
  readonly rewards: Readonly<Record<string, number>>;
}

export type StepRecord =
  | { readonly kind: "step"; readonly version: number; readonly step: number }
  | StoredGroup
  | StoredSample
  | { readonly kind: "failures"; readonly failures: readonly FailedEpisode[] }
  | { readonly kind: "shaping"; readonly samples: readonly SampleLog[] }
  | { readonly kind: "update"; readonly update: UpdateLog }
  | { readonly kind: "metrics"; readonly metrics: StepLog["metrics"] }
  | { readonly kind: "end"; readonly lines: number };

export const stepRecordSchema: z.ZodType<StepRecord> = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("step"), version: z.literal([1, traceVersion]), step: z.int().min(0) }),
  z.strictObject({
    kind: z.literal("group"),
    group: z.int().min(0),
    task: taskSchema,
    blocks: z.array(promptBlockSchema),
    prompt: z
      .strictObject({
        tokens: int32ArraySchema,
        blocks: int16ArraySchema,
        images: z.array(imageRefSchema),
        positions: int32ArraySchema.optional(),
        patches: z.array(z.string().regex(/^[0-9a-f]{64}$/)).optional(),
      })
      .refine(({ tokens, blocks }) => tokens.length === blocks.length, {
        error: "tokens and blocks must have the same length",
      })
      .refine(({ tokens, positions }) => positions === undefined || positions.length === 3 * tokens.length, {
        error: "positions must have three values for each token",
      }),
  }),
  z.strictObject({
    kind: z.literal("sample"),
    sample: z.int().min(0),
    policyVersion: z.int().min(0),
    blocks: z.array(promptBlockSchema),
    turns: z.array(turnSchema).min(1),
    toolOutcomes: z.array(toolOutcomeSchema),
    rewards: z.record(z.string(), z.number()),
  }),
  z.strictObject({ kind: z.literal("failures"), failures: z.array(failedEpisodeSchema).min(1) }),
  z.strictObject({ kind: z.literal("shaping"), samples: z.array(sampleLogSchema) }),
  z.strictObject({ kind: z.literal("update"), update: updateLogSchema }),
  z.strictObject({ kind: z.literal("metrics"), metrics: metricsSchema }),
  z.strictObject({ kind: z.literal("end"), lines: z.int().min(1) }),
]);
