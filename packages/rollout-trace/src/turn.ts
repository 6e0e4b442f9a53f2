// A turn: what it starts from, how it is sampled, and its record.
import { z } from "zod";
import { float32ArraySchema, int16ArraySchema, int32ArraySchema, uint8ArraySchema } from "./arrays.ts";
import { type Image, type ImageRef, imageRefSchema } from "./image.ts";
import type { PromptBlock } from "./prompt.ts";
import type { ToolOutcome } from "./tool-outcome.ts";

/** What a turn starts from. */
export interface TurnInput {
  /** False: a user message behind the turn before. True: a prompt of its own, as at the start of an episode. */
  readonly freshPrompt: boolean;
  /** The user message. */
  readonly blocks: readonly PromptBlock[];
  /** Where a fresh prompt has one: an assistant message after the user message, closed before the new turn begins. */
  readonly assistant?: readonly PromptBlock[] | undefined;
  /** In place of the rollout's. */
  readonly temperature?: number | undefined;
}

/** A turn before the present one, with what its tool program came to. */
export type EarlierTurn = { readonly text: string; readonly tool?: ToolOutcome | undefined };

/** How tokens are drawn. A log-prob counts the whole distribution, so truncation makes a rollout slightly off-policy. */
export interface Sampling {
  /** Divides the logits; 0 takes the likeliest token. */
  readonly temperature: number;
  /** Truncation: sample among the likeliest tokens that together reach this probability. */
  readonly topP?: number | undefined;
  /** Truncation: sample among this many likeliest tokens. */
  readonly topK?: number | undefined;
}

/** Key of a counter-based random number generator: two unsigned 32-bit words. */
export type Seed = readonly [number, number];

/** What is asked of a session for its next turns. */
export interface TurnRequest {
  /** Responses per prompt; the first call of a session decides. */
  readonly samples: number;
  readonly sampling: Sampling;
  /** One per response, prompt by prompt: a response is a function of its prompt and its seed. */
  readonly seeds: readonly Seed[];
  /** Tokens of a turn at most. */
  readonly maxTokens: number;
  readonly signal?: AbortSignal | undefined;
  /** Called with each turn as soon as it ends, while others go on. */
  readonly onTurn?: ((response: number, turn: Turn) => void) | undefined;
}

/** How sampling truncated the distribution. */
export type Truncation = Pick<Sampling, "topP" | "topK">;

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
  /** How it ended: with a stop token, or cut off at its most tokens; absent where it was not sampled. */
  readonly finish?: "stop" | "length" | undefined;
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
    finish: z.enum(["stop", "length"]).optional(),
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

/** Turns one after another: those of a trace, or an example to learn from. */
export type Trajectory = { readonly turns: readonly Turn[] };
