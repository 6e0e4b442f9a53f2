// From a picture source to pixels, and to boxes in pixels. Paths in data files are hostile: none may leave its folder.
import { readFile, stat } from "node:fs/promises";
import { identifyImage, type RawImage } from "@iapo/rollout-trace";
import type { NamedBox } from "@iapo/visual-tools";
import { VqaTasksError } from "../error.ts";
import { hashText } from "../random.ts";
import { loadRasterizer } from "../render/rasterizer.ts";
import { tableStyles } from "../render/styles.ts";
import { defaultTableOptions, renderFitting, type renderTable } from "../render/table.ts";
import type { VisualTask } from "../task.ts";
import { findBelow, shown } from "./below.ts";
import { parseDelimited } from "./csv.ts";
import type { PictureSource, TaskRecord } from "./record.ts";

export interface PictureFolders {
  /** Where image files are looked for. */
  readonly images?: string | undefined;
  /** Where source tables are looked for. */
  readonly tables?: string | undefined;
}

/** The task with its pixels. @throws VqaTasksError `missing_image`, `undrawable`, or what reading the image throws */
export async function withPicture(record: TaskRecord, folders: PictureFolders): Promise<VisualTask> {
  const { picture, frame, id, source, split, ...content } = record;
  if (picture.kind === "table" || picture.kind === "cells") {
    const { image, columns, rows } = await renderSourceTable(picture, folders);
    return { id, source, split, content: { ...content, image: await identifyImage(image), columns, rows } };
  }
  const image = await identifyImage(await readPictureFile(picture, folders));
  const scale = (boxes: readonly NamedBox[]): readonly NamedBox[] =>
    frame === "pixel" ? boxes : inPixels(boxes, image);
  return {
    id,
    source,
    split,
    content: { ...content, image, columns: scale(content.columns), rows: scale(content.rows) },
  };
}

async function readPictureFile(
  picture: Exclude<PictureSource, { kind: "table" | "cells" }>,
  { images }: PictureFolders,
): Promise<RawImage> {
  const { readImage } = await import("@iapo/visual-tools/sharp");
  switch (picture.kind) {
    case "bytes":
      return readImage(picture.bytes);
    case "missing":
      throw new VqaTasksError("missing_image", picture.advice);
    case "file":
      return readImage(await findBelow(images, picture.path, picture.advice));
  }
}

async function renderSourceTable(
  table: Extract<PictureSource, { kind: "table" | "cells" }>,
  { tables }: PictureFolders,
): Promise<ReturnType<typeof renderTable>> {
  const cells = table.kind === "cells" ? table.cells : await readCells(table, tables);
  const [header = [], ...rows] = cells.map((row) => row.map((cell) => cell.replace(/\s+/g, " ").trim()));
  // A table keeps its look over all its questions.
  const name = table.kind === "cells" ? table.name : table.path;
  const style = tableStyles[hashText(name) % tableStyles.length] ?? tableStyles[0];
  if (style === undefined) throw new Error("there are no table styles");
  return renderFitting({ columns: header, rows }, { ...defaultTableOptions, style }, await loadRasterizer());
}

async function readCells(
  { path, dialect }: Extract<PictureSource, { kind: "table" }>,
  folder: string | undefined,
): Promise<string[][]> {
  const file = await findBelow(folder, path, "give the folder of source tables as `tables`");
  return parseDelimited(await readTable(file, path), dialect);
}

const LARGEST_TABLE = 2 ** 22;

/** Text in UTF-8, without a byte order mark. What it holds stands in no message. */
async function readTable(file: string, path: string): Promise<string> {
  const { size } = await stat(file);
  if (size > LARGEST_TABLE)
    throw new VqaTasksError("undrawable", `${shown(path)}: a table of ${size} bytes, more than ${LARGEST_TABLE}`);
  const bytes = await readFile(file);
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new VqaTasksError("bad_row", `${shown(path)}: not UTF-8; save the table in that encoding`, { cause });
  }
}

function inPixels(boxes: readonly NamedBox[], { width, height }: RawImage): NamedBox[] {
  return boxes.map(({ name, x1, y1, x2, y2 }) => ({
    name,
    x1: x1 * width,
    y1: y1 * height,
    x2: x2 * width,
    y2: y2 * height,
  }));
}
