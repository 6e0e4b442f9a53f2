// A task as a data file states it: everything but the pixels, and where to find them.
import type { NamedBox } from "@iapo/visual-tools";
import { z } from "zod";
import { uniqueNames } from "../render/picture.ts";
import type { VisualContent, VisualTask } from "../task.ts";
import type { TableDialect } from "./csv.ts";

export type PictureSource =
  /** The bytes of an image file. */
  | { readonly kind: "bytes"; readonly bytes: Uint8Array }
  /** A path as the data set writes it; looked up below the image folder. `advice` says how to get such a folder. */
  | { readonly kind: "file"; readonly path: string; readonly advice: string }
  /** A source table, looked up below the table folder and rendered; boxes and size come from the renderer. */
  | { readonly kind: "table"; readonly path: string; readonly dialect: TableDialect }
  /** A table that stands in its row, rendered as one of a file; `name` chooses its look. */
  | { readonly kind: "cells"; readonly name: string; readonly cells: readonly (readonly string[])[] }
  /** The data set does not carry it. */
  | { readonly kind: "missing"; readonly advice: string };

export type TaskRecord = Omit<VisualTask, "content"> &
  Omit<VisualContent, "image"> & {
    readonly picture: PictureSource;
    /** The frame that the data set's format declares for its boxes. */
    readonly frame: "pixel" | "fraction";
  };

/** One row of a data file to its tasks (a row may hold several questions). It throws a `ZodError` or an `Error` for a bad row. */
export type RowParser = (value: unknown, place: RowPlace) => TaskRecord[];

export type RowPlace = { readonly file: string; readonly row: number };

/** JSON readers round what is larger, so that two numbers become one. */
const exactNumber = z.number().refine((value) => Number.isSafeInteger(value) || !Number.isInteger(value));

/** Of a 32-bit float, as parquet may hold it, the shortest text that is this float: 0.1, not 0.10000000149011612. */
function decimal(value: number): string {
  for (let digits = 1; Math.fround(value) === value && digits <= 9; digits += 1) {
    const shorter = Number(value.toPrecision(digits));
    if (Math.fround(shorter) === value) return String(shorter);
  }
  return String(value);
}

/** Text, a number as text (parquet's 64-bit integers arrive as bigint), or the bytes of text where a parquet file does not declare its text columns. */
export const textSchema: z.ZodType<string> = z.union(
  [
    z.string(),
    exactNumber.transform(decimal),
    z.bigint().transform(String),
    z.instanceof(Uint8Array).transform((bytes, context) => {
      try {
        return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
      } catch {
        context.addIssue({ code: "custom", message: "expected text in UTF-8" });
        return z.NEVER;
      }
    }),
  ],
  {
    error: ({ input }) =>
      typeof input === "number"
        ? "expected a whole number beyond 2^53 as text: JSON rounds it"
        : "expected text or a number",
  },
);

/** Answers as a text (several parted by `|||`), a number, or a list of these. */
export const answersSchema: z.ZodType<string[]> = z
  .union([textSchema, z.array(textSchema).min(1)], {
    error: "expected an answer as text or a number, or a list of these",
  })
  .transform((answer) => (Array.isArray(answer) ? answer : answer.split("|||")));

/** Parquet's 64-bit integers arrive as bigint. */
export const numberSchema = z.union([z.number(), z.bigint().transform(Number)], { error: "expected a number" });
const cornersSchema = z.union(
  [
    z.object({ x1: numberSchema, y1: numberSchema, x2: numberSchema, y2: numberSchema }),
    z
      .tuple([numberSchema, numberSchema, numberSchema, numberSchema])
      .transform(([x1, y1, x2, y2]) => ({ x1, y1, x2, y2 })),
  ],
  { error: "expected a box: { x1, y1, x2, y2 } or [x1, y1, x2, y2]" },
);
const cornerListsSchema = z.object({
  x1: z.array(numberSchema),
  y1: z.array(numberSchema),
  x2: z.array(numberSchema),
  y2: z.array(numberSchema),
});

/**
 * Boxes in any published spelling: a list beside a list of names, lists of corners, or an object from name to box. In the
 * last one a null is no box (Arrow gives every row the labels of all rows), and V1's `{ x1: "none" }` means no boxes.
 *
 * @param path of the boxes in their row, for messages
 */
export function readBoxes(names: readonly string[] | undefined, boxes: unknown, path: string): NamedBox[] {
  if (boxes === null || boxes === undefined) return [];
  if (Array.isArray(boxes)) return named(names ?? [], parseAt(z.array(cornersSchema), boxes, [path]), path);
  const lists = cornerListsSchema.safeParse(boxes);
  if (lists.success) return named(names ?? [], boxesOfLists(lists.data, path), path);
  const entries = Object.entries(parseAt(z.record(z.string(), z.unknown()), boxes, [path])).filter(
    ([, box]) => box !== null && box !== undefined,
  );
  if (entries.length === 1 && entries[0]?.[0] === "x1" && entries[0][1] === "none") return [];
  // JSON objects lose the order of names that look like whole numbers; the list of names, where there is one, keeps it.
  const order = new Map((names ?? []).map((name, index) => [name, index]));
  const found = entries.map(([name, box]): NamedBox => ({ name, ...parseAt(cornersSchema, box, [path, name]) }));
  found.sort((a, b) => (order.get(a.name) ?? 0) - (order.get(b.name) ?? 0));
  return named(
    found.map(({ name }) => name),
    found,
    path,
  );
}

const kindOf = (path: string): "column" | "row" => (/row|y_values/.test(path) ? "row" : "column");

type Corners = Omit<NamedBox, "name">;

function boxesOfLists({ x1, y1, x2, y2 }: z.infer<typeof cornerListsSchema>, path: string): Corners[] {
  return x1.map((left, index) => {
    const [top, right, bottom] = [y1[index], x2[index], y2[index]];
    if (
      top === undefined ||
      right === undefined ||
      bottom === undefined ||
      y1.length + x2.length + y2.length !== 3 * x1.length
    )
      throw new Error(`${path}: the lists of corners differ in length`);
    return { x1: left, y1: top, x2: right, y2: bottom };
  });
}

/** As `schema.parse`, with issues at their place in the whole row. */
function parseAt<T>(schema: z.ZodType<T>, value: unknown, path: readonly string[]): T {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new z.ZodError(parsed.error.issues.map((issue) => ({ ...issue, path: [...path, ...issue.path] })));
}

function named(names: readonly string[], boxes: readonly Corners[], path: string): NamedBox[] {
  if (names.length !== boxes.length) throw new Error(`${path}: ${names.length} names for ${boxes.length} boxes`);
  const unique = uniqueNames(names, kindOf(path));
  return boxes.map((box, index) => ({ ...box, name: unique[index] ?? "" }));
}

/**
 * An image as published rows hold it: bytes, `{ bytes, path }`, base64 or a data URL in place of the bytes, a path, or a list whose first item is one
 * of these.
 * @throws Error for what is none of these
 */
export function readPicture(value: unknown, advice: string): PictureSource {
  const image = Array.isArray(value) ? (value[0] as unknown) : value;
  if (image === null || image === undefined || image === "") return { kind: "missing", advice };
  const bytes = bytesOf(image);
  if (bytes !== undefined) return { kind: "bytes", bytes };
  if (typeof image === "string") return { kind: "file", path: image, advice };
  const file = z.object({ bytes: z.unknown(), path: textSchema.nullish() }).partial().safeParse(image).data ?? {};
  const held = bytesOf(file.bytes);
  if (held !== undefined) return { kind: "bytes", bytes: held };
  if (file.path) return { kind: "file", path: file.path, advice };
  if ((file.bytes ?? undefined) === undefined && ("bytes" in file || "path" in file))
    return { kind: "missing", advice };
  throw new Error("image: expected a path, base64, a data URL, bytes, or { bytes, path } of these");
}

/** The base64 of a picture is longer than any path, or begins as those of PNG, JPEG, GIF, WebP, BMP and TIFF do. */
const base64Start = /^(?:iVBORw0KGgo|\/9j\/|R0lGOD|UklGR|Qk|SUkq|TU0AK)/;
const dataUrl = /^data:[^,]{0,200},/i;

/** @throws Error for a data URL that holds no base64 */
function bytesOf(image: unknown): Uint8Array | undefined {
  if (image instanceof Uint8Array) return image;
  if (typeof image !== "string") return undefined;
  const [start] = dataUrl.exec(image.slice(0, 256)) ?? [];
  if (start !== undefined && !/;base64,$/i.test(start)) throw new Error("image: a data URL without base64");
  const text = start === undefined ? image : image.slice(start.length);
  if (start === undefined && (text.length < 64 || (text.length <= LONGEST_PATH && !base64Start.test(text))))
    return undefined;
  if (!/^[A-Za-z0-9+/_=\s-]*$/.test(text)) {
    if (start === undefined) return undefined;
    throw new Error("image: a data URL whose base64 holds other characters");
  }
  return Buffer.from(text, "base64");
}

const LONGEST_PATH = 4096;
