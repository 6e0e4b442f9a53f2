/** From a picture source to pixels, and to boxes in pixels. Paths in data files are hostile: none may leave its folder. */

import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { identifyImage, type NamedBox, type RawImage, type Task } from "@iapo/rollout-trace";
import { VqaTasksError } from "../error.ts";
import { hashText } from "../random.ts";
import { loadRasterizer } from "../render/rasterizer.ts";
import { tableStyles } from "../render/styles.ts";
import { defaultTableOptions, renderTable } from "../render/table.ts";
import { parseDelimited } from "./csv.ts";
import type { PictureSource, TaskRecord } from "./record.ts";

export type PictureFolders = {
  /** Where image files are looked for. */
  readonly images?: string | undefined;
  /** Where source tables are looked for. */
  readonly tables?: string | undefined;
};

/** The task with its pixels. @throws VqaTasksError `missing_image`, `undrawable`, or what reading the image throws */
export async function withPicture(record: TaskRecord, folders: PictureFolders): Promise<Task> {
  const { picture, frame, ...task } = record;
  if (picture.kind === "table") {
    const { image, columns, rows } = await renderSourceTable(picture, folders);
    return { ...task, image: await identifyImage(image), columns, rows };
  }
  const image = await identifyImage(await readPictureFile(picture, folders));
  const scale = (boxes: readonly NamedBox[]): readonly NamedBox[] =>
    frame === "pixel" ? boxes : inPixels(boxes, image);
  return { ...task, image, columns: scale(task.columns), rows: scale(task.rows) };
}

async function readPictureFile(
  picture: Exclude<PictureSource, { kind: "table" }>,
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
  { path, dialects }: Extract<PictureSource, { kind: "table" }>,
  { tables }: PictureFolders,
): Promise<ReturnType<typeof renderTable>> {
  const text = await readFile(await findBelow(tables, path, "give the folder of source tables as `tables`"), "utf8");
  const [header = [], ...rows] = parseDelimited(text, dialects[0] ?? "rfc4180").map((row) =>
    row.map((cell) => cell.replace(/\s+/g, " ").trim()),
  );
  // A table keeps its look over all its questions.
  const style = tableStyles[hashText(path) % tableStyles.length] ?? tableStyles[0];
  if (style === undefined) throw new Error("there are no table styles");
  return renderTable({ columns: header, rows }, { ...defaultTableOptions, style }, await loadRasterizer());
}

/** The file below `folder` that a data set calls `path`: as it stands, or without some of its leading folders. */
async function findBelow(folder: string | undefined, path: string, advice: string): Promise<string> {
  const parts = path.split(/[/\\]/).filter((part) => part !== "" && part !== ".");
  if (parts.some((part) => part === ".." || part.includes("\0")) || /^[a-zA-Z]:/.test(path)) {
    throw new VqaTasksError("missing_image", `${JSON.stringify(path)} could lead out of its folder and is not opened`);
  }
  for (let skip = 0; folder !== undefined && skip < parts.length; skip += 1) {
    const candidate = join(folder, ...parts.slice(skip));
    if ((await stat(candidate).catch(() => undefined))?.isFile()) return candidate;
  }
  const place = folder === undefined ? "not in the data file" : `not found below ${folder}`;
  throw new VqaTasksError("missing_image", `${path}: ${place}; ${advice}`);
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
