/** A question about a chart or table, with the boxes of its columns and rows. */
import { z } from "zod";
import { type Image, type ImageRef, imageRefSchema } from "./image.ts";

/** The rectangle of one named column, row, bar or mark; corners in pixels of the original image, `x2`, `y2` inclusive. */
export type NamedBox = {
  readonly name: string;
  readonly x1: number;
  readonly y1: number;
  readonly x2: number;
  readonly y2: number;
};

/** Boxes in reading order. A list, because order counts (the first row is the header) and an object would move the key "7" up. */
export type Boxes = readonly NamedBox[];

export const boxesSchema: z.ZodType<Boxes> = z.array(
  z.strictObject({
    name: z.string(),
    x1: z.number(),
    y1: z.number(),
    x2: z.number(),
    y2: z.number(),
  }),
);

/** Which axis divides the picture: a chart has one (vertical bars: columns), a table has both and states none. */
export type Orientation = "columns" | "rows";

export const orientationSchema: z.ZodType<Orientation> = z.enum(["columns", "rows"]);

/** One question. `I` is {@link Image} in memory and {@link ImageRef} in a trace. */
export type Task<I extends ImageRef = Image> = {
  /** Unique within its source and split. */
  readonly id: string;
  readonly image: I;
  readonly question: string;
  /** Every accepted answer; at least one. */
  readonly answers: readonly string[];
  /** Empty where the picture has no columns; a chart fills only its own axis. */
  readonly columns: Boxes;
  readonly rows: Boxes;
  readonly orientation?: Orientation | undefined;
  /** Data set it comes from, such as `chartqa_v_bar`. */
  readonly source: string;
  readonly split: string;
};

export const taskSchema: z.ZodType<Task<ImageRef>> = z.strictObject({
  id: z.string().min(1),
  image: imageRefSchema,
  question: z.string(),
  answers: z.array(z.string()).min(1),
  columns: boxesSchema,
  rows: boxesSchema,
  orientation: orientationSchema.optional(),
  source: z.string(),
  split: z.string(),
});
