// What a step did with its traces: the numbers on the way from reward to loss, logged so that they can be recomputed.
import { z } from "zod";
import { float32ArraySchema } from "./arrays.ts";
import type { ImageRef } from "./image.ts";
import type { Trace } from "./trace.ts";

/** Names a trace within its step. */
export type SampleKey = { readonly group: number; readonly sample: number };

/** Of a turn: one advantage for all of its sampled tokens, or one for each. */
export type TurnAdvantage = number | readonly number[];

/** From reward to advantage, for one sample. */
export type SampleLog = SampleKey & {
  /** What the penalty was computed from, by name: block distributions of student and teacher, a verdict, ... */
  readonly evidence?: Readonly<Record<string, readonly number[]>> | undefined;
  /** What was taken off the outcome reward. */
  readonly penalty: number;
  /** Outcome reward minus penalty; null where the sample could not be scored. */
  readonly shapedReward: number | null;
  /** [turns] */
  readonly advantages: readonly TurnAdvantage[];
};

/** One sample of a mini-batch; log-probs are of its sampled tokens, T over all turns. */
export type UpdateSample = SampleKey & {
  /** [T] under the policy in training, before this update. */
  readonly logProbs: Float32Array<ArrayBuffer>;
  /** [T] where they were recomputed; else those of the trace count. */
  readonly oldLogProbs?: Float32Array<ArrayBuffer> | undefined;
  /** [T] under the reference, where KL asks. */
  readonly referenceLogProbs?: Float32Array<ArrayBuffer> | undefined;
  /** [T] of the policy from a teacher or the other way around, before this update, where the loss asks; nats. */
  readonly divergences?: Float32Array<ArrayBuffer> | undefined;
};

/** One optimizer step. */
export interface UpdateLog {
  readonly samples: readonly UpdateSample[];
  /** Null where it was not finite. */
  readonly loss: number | null;
  /** The step was not applied: a log-prob, an entropy, the loss or the gradient was not finite. */
  readonly skipped?: boolean | undefined;
}

/** Why an episode has no rewards. */
export type FailedEpisode = SampleKey & {
  /** Id of its task. */
  readonly task: string;
  readonly message: string;
};

export interface StepLog {
  readonly samples: readonly SampleLog[];
  readonly updates: readonly UpdateLog[];
  /** The first episodes that failed, where any did. */
  readonly failures?: readonly FailedEpisode[] | undefined;
  /** By the field's names, such as `actor/grad_norm`; null where a value was not finite. */
  readonly metrics: Readonly<Record<string, number | null>>;
}

/** All that is kept of a step. */
export type Step<I extends ImageRef = ImageRef> = {
  readonly step: number;
  readonly traces: readonly Trace<I>[];
  readonly log: StepLog;
};

const key = { group: z.int().min(0), sample: z.int().min(0) };

export const sampleLogSchema: z.ZodType<SampleLog> = z.strictObject({
  ...key,
  evidence: z.record(z.string(), z.array(z.number())).optional(),
  penalty: z.number(),
  shapedReward: z.number().nullable(),
  advantages: z.array(z.union([z.number(), z.array(z.number())])).min(1),
});

export const updateLogSchema: z.ZodType<UpdateLog> = z.strictObject({
  samples: z.array(
    z.strictObject({
      ...key,
      logProbs: float32ArraySchema,
      oldLogProbs: float32ArraySchema.optional(),
      referenceLogProbs: float32ArraySchema.optional(),
      divergences: float32ArraySchema.optional(),
    }),
  ),
  loss: z.number().nullable(),
  skipped: z.boolean().optional(),
});

export const failedEpisodeSchema: z.ZodType<FailedEpisode> = z.strictObject({
  ...key,
  task: z.string(),
  message: z.string(),
});

export const metricsSchema: z.ZodType<StepLog["metrics"]> = z.record(z.string(), z.number().nullable());
