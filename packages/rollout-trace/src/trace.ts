/** The record of one episode, made once at rollout and read by everything after it. */
import { z } from "zod";
import { float32ArraySchema, int16ArraySchema, int32ArraySchema, uint8ArraySchema } from "./arrays.ts";
import { type Image, type ImageRef, imageRefSchema } from "./image.ts";
import { type PromptBlock, promptBlockSchema } from "./prompt.ts";
import { type Task, taskSchema } from "./task.ts";
import { type ToolOutcome, toolOutcomeSchema } from "./tool-outcome.ts";

/** How sampling cut the distribution. A log-prob counts the whole one, so these make a turn slightly off-policy. */
export type Truncation = { readonly topP?: number | undefined; readonly topK?: number | undefined };

/** One turn: what was put in (prompt or observation) and what the policy wrote. N = tokens of both, in order. */
export type Turn<I extends ImageRef = Image> = {
  /** [N] token ids. */
  readonly tokens: Int32Array<ArrayBuffer>;
  /** [N] index into the trace's `blocks`; -1 for generated, chat-template and vision-boundary tokens. */
  readonly blocks: Int16Array<ArrayBuffer>;
  /** [N] 1 where the token was sampled by the policy, else 0. */
  readonly lossMask: Uint8Array<ArrayBuffer>;
  /** [number of ones in `lossMask`] log-prob at `temperature` over the vocabulary without `bannedIds`. */
  readonly logProbs: Float32Array<ArrayBuffer>;
  readonly temperature: number;
  readonly bannedIds: readonly number[];
  readonly truncation?: Truncation | undefined;
  /** Images put in by this turn, in order. */
  readonly images: readonly I[];
  /** What the policy wrote, decoded. */
  readonly text: string;
  /** True where the turn starts a prompt of its own, false where it goes on from the turn before. */
  readonly freshPrompt: boolean;
  /** [3 N] temporal, vertical and horizontal position of the first token, then of the second, ...; absent where none were used. */
  readonly positions?: Int32Array<ArrayBuffer> | undefined;
  /** For each of `images`, the SHA-256 in lower-case hex of the patch values the vision tower was given. */
  readonly patches?: readonly string[] | undefined;
};

/** As JSON; images are references. */
export const turnSchema: z.ZodType<Turn<ImageRef>> = z
  .strictObject({
    tokens: int32ArraySchema,
    blocks: int16ArraySchema,
    lossMask: uint8ArraySchema,
    logProbs: float32ArraySchema,
    temperature: z.number().min(0),
    bannedIds: z.array(z.int().min(0)),
    truncation: z
      .strictObject({ topP: z.number().gt(0).max(1).optional(), topK: z.int().min(1).optional() })
      .optional(),
    images: z.array(imageRefSchema),
    text: z.string(),
    freshPrompt: z.boolean(),
    positions: int32ArraySchema.optional(),
    patches: z.array(z.string().regex(/^[0-9a-f]{64}$/)).optional(),
  })
  .refine((turn) => turn.blocks.length === turn.tokens.length && turn.lossMask.length === turn.tokens.length, {
    error: "tokens, blocks and lossMask must have the same length",
  })
  .refine((turn) => turn.lossMask.every((value) => value <= 1), { error: "lossMask holds zeros and ones" })
  .refine((turn) => turn.logProbs.length === turn.lossMask.reduce((sum, value) => sum + value, 0), {
    error: "logProbs must have one value for each sampled token",
  })
  .refine((turn) => turn.positions === undefined || turn.positions.length === 3 * turn.tokens.length, {
    error: "positions must have three values for each token",
  });

/** Version of the trace format; a reader refuses any other. */
export const traceVersion = 1;

/** One episode of one task. */
export type Trace<I extends ImageRef = Image> = {
  readonly version: typeof traceVersion;
  /** Position in the run: update step, place of the task in the step, place of the sample in its group. All from 0. */
  readonly step: number;
  readonly group: number;
  readonly sample: number;
  /** Version of the policy that wrote it. */
  readonly policyVersion: number;
  readonly task: Task<I>;
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
