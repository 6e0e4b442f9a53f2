// Typed prompt blocks: the units that attribution scores.
import { z } from "zod";
import { type Image, type ImageRef, imageRefSchema } from "./image.ts";

export type TextBlockKind = "context" | "query" | "tool" | "example" | "observation";

/** A stretch of text; it ends in a newline, so that no token belongs to two blocks. */
export interface TextBlock {
  /** Unique within the prompt. */
  readonly id: string;
  readonly kind: TextBlockKind;
  /** Name of the tool that a block of kind `tool` defines. */
  readonly tool?: string | undefined;
  readonly text: string;
}

export type ImageBlock<I extends ImageRef = Image> = { readonly id: string; readonly kind: "image"; readonly image: I };

export type PromptBlock<I extends ImageRef = Image> = TextBlock | ImageBlock<I>;

export const promptBlockSchema: z.ZodType<PromptBlock<ImageRef>> = z.discriminatedUnion("kind", [
  z.strictObject({
    id: z.string().min(1),
    kind: z.enum(["context", "query", "tool", "example", "observation"]),
    tool: z.string().optional(),
    text: z.string(),
  }),
  z.strictObject({ id: z.string().min(1), kind: z.literal("image"), image: imageRefSchema }),
]);
