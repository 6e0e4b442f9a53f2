/** A task as a data file states it: everything but the pixels, and where they are to be had. */

import type { NamedBox, Task } from "@iapo/rollout-trace";
import { z } from "zod";
import { uniqueNames } from "../render/picture.ts";
import type { TableDialect } from "./csv.ts";

export type PictureSource =
  /** The bytes of an image file. */
  | { readonly kind: "bytes"; readonly bytes: Uint8Array }
  /** A path as the data set writes it; looked up below the image folder. `advice` says how to get such a folder. */
  | { readonly kind: "file"; readonly path: string; readonly advice: string }
  /** A source table, looked up below the table folder and rendered; boxes and size come from the renderer. */
  | { readonly kind: "table"; readonly path: string; readonly dialects: readonly TableDialect[] }
  /** The data set does not carry it. */
  | { readonly kind: "missing"; readonly advice: string };

export type TaskRecord = Omit<Task, "image"> & {
  readonly picture: PictureSource;
  /** The frame that the data set's format declares for its boxes. */
  readonly frame: "pixel" | "fraction";
};

/** One row of a data file to its tasks (a row may hold several questions). It throws a `ZodError` or an `Error` for a bad row. */
export type RowParser = (value: unknown, place: RowPlace) => TaskRecord[];

export type RowPlace = { readonly file: string; readonly row: number };

/** Text, or the bytes of text where a parquet file does not declare its text columns. */
export const textSchema: z.ZodType<string> = z.union([
  z.string(),
  z.instanceof(Uint8Array).transform((bytes) => new TextDecoder("utf-8", { fatal: true }).decode(bytes)),
]);

const answerSchema = z.union([textSchema, z.number().transform(String)]);

/** Answers as a text (several parted by `|||`), a number, or a list of these. */
export const answersSchema: z.ZodType<string[]> = z
  .union([answerSchema, z.array(answerSchema).min(1)])
  .transform((answer) => (Array.isArray(answer) ? answer : answer.split("|||")));

/** Parquet's 64-bit integers arrive as bigint. */
const numberSchema = z.union([z.number(), z.bigint().transform(Number)]);
const cornersSchema = z.object({ x1: numberSchema, y1: numberSchema, x2: numberSchema, y2: numberSchema });
const cornerListsSchema = z.object({
  x1: z.array(numberSchema),
  y1: z.array(numberSchema),
  x2: z.array(numberSchema),
  y2: z.array(numberSchema),
});

/**
 * Boxes in any published spelling: a list beside a list of names, lists of corners, or an object from name to box. In the
 * last one a null is no box (Arrow gives every row the labels of all rows), and V1's `{ x1: "none" }` means no boxes.
 */
export function readBoxes(names: readonly string[] | undefined, boxes: unknown): NamedBox[] {
  if (boxes === null || boxes === undefined) return [];
  if (Array.isArray(boxes)) return named(names ?? [], z.array(cornersSchema).parse(boxes));
  const lists = cornerListsSchema.safeParse(boxes);
  if (lists.success) {
    const { x1, y1, x2, y2 } = lists.data;
    if (y1.length !== x1.length || x2.length !== x1.length || y2.length !== x1.length)
      throw new Error("the lists of corners differ in length");
    return named(
      names ?? [],
      x1.map((x, index) => ({ x1: x, y1: y1[index] ?? 0, x2: x2[index] ?? 0, y2: y2[index] ?? 0 })),
    );
  }
  const entries = Object.entries(z.record(z.string(), z.unknown()).parse(boxes)).filter(
    ([, box]) => box !== null && box !== undefined,
  );
  if (entries.length === 1 && entries[0]?.[0] === "x1" && entries[0][1] === "none") return [];
  // JSON objects lose the order of names that look like whole numbers; the list of names, where there is one, keeps it.
  const order = new Map((names ?? []).map((name, index) => [name, index]));
  const found = entries.map(([name, box]): NamedBox => ({ name, ...cornersSchema.parse(box) }));
  return found.sort((a, b) => (order.get(a.name) ?? 0) - (order.get(b.name) ?? 0));
}

function named(names: readonly string[], boxes: readonly Omit<NamedBox, "name">[]): NamedBox[] {
  if (names.length !== boxes.length) throw new Error(`${names.length} names for ${boxes.length} boxes`);
  return uniqueNames(names).map((name, index) => ({ name, ...(boxes[index] as Omit<NamedBox, "name">) }));
}

/** An image as published rows hold it: bytes, `{ bytes, path }`, a path, or a list whose first item is one of these. */
export function readPicture(value: unknown, advice: string): PictureSource {
  const image = Array.isArray(value) ? (value[0] as unknown) : value;
  if (image instanceof Uint8Array) return { kind: "bytes", bytes: image };
  if (typeof image === "string" && image !== "") return { kind: "file", path: image, advice };
  const file = z
    .object({ bytes: z.instanceof(Uint8Array).nullish(), path: textSchema.nullish() })
    .safeParse(image).data;
  if (file?.bytes) return { kind: "bytes", bytes: file.bytes };
  if (file?.path) return { kind: "file", path: file.path, advice };
  return { kind: "missing", advice };
}
