// The record of one episode, made once at rollout and read by everything after it.
import { z } from "zod";
import type { Image, ImageRef } from "./image.ts";
import { type PromptBlock, promptBlockSchema } from "./prompt.ts";
import { type Task, taskSchema } from "./task.ts";
import { type ToolOutcome, toolOutcomeSchema } from "./tool-outcome.ts";
import { type Turn, turnSchema } from "./turn.ts";

/** Version of the trace format. Step files of version 1, whose tasks were pictures only, are still read. */
export const traceVersion = 2;

/** One episode of one task. `I` is {@link Image} in memory and {@link ImageRef} in a file. */
export type Trace<I extends ImageRef = Image, Content = unknown> = {
  readonly version: typeof traceVersion;
  /** Position in the run: update step, place of the task in the step, place of the sample in its group. All from 0. */
  readonly step: number;
  readonly group: number;
  readonly sample: number;
  /** Version of the policy that wrote it. */
  readonly policyVersion: number;
  readonly task: Task<Content>;
  /** Every block put in over all turns; `turns[i].blocks` points here. */
  readonly blocks: readonly PromptBlock<I>[];
  readonly turns: readonly Turn<I>[];
  /** One for each turn whose text was read as a tool program. */
  readonly toolOutcomes: readonly ToolOutcome<I>[];
  /** Rewards by part, such as `outcome`. */
  readonly rewards: Readonly<Record<string, number>>;
};

/** Decodes JSON into a trace whose images are references (`z.decode`), and encodes one (`z.encode`). */
export const traceSchema: z.ZodType<Trace<ImageRef>> = z
  .strictObject({
    version: z.literal(traceVersion),
    step: z.int().min(0),
    group: z.int().min(0),
    sample: z.int().min(0),
    policyVersion: z.int().min(0),
    task: taskSchema,
    blocks: z.array(promptBlockSchema),
    turns: z.array(turnSchema).min(1),
    toolOutcomes: z.array(toolOutcomeSchema),
    rewards: z.record(z.string(), z.number()),
  })
  .refine(
    (trace) => trace.turns.every((turn) => turn.blocks.every((block) => block >= -1 && block < trace.blocks.length)),
    { error: "a turn points to a block that the trace does not hold", path: ["turns"] },
  );
