/**
 * Draws docs/contact-sheets: nano-charts, rendered real tables and real charts with their boxes, for people to look at.
 *
 *   node --conditions=@iapo/source scripts/contact-sheets.ts DATA_FOLDER TARGET_FOLDER
 *
 * DATA_FOLDER holds `wtq`, `tabfact`, `chartqa` and `extra_charts`, each with a part `dev`. Of ChartQA only the charts of
 * Our World in Data (CC BY) are taken.
 */

import { readFileSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { RawImage } from "@iapo/rollout-trace";
import { copyImage, type NamedBox, toRgb } from "@iapo/visual-tools";
import { writeImage } from "@iapo/visual-tools/sharp";
import { type DataFormat, loadTasks, localFiles } from "../src/loaders/index.ts";
import { createNanoCharts, nanoSplits } from "../src/nano/index.ts";
import type { VisualContent, VisualTask } from "../src/task.ts";

const [data = "", target = ""] = process.argv.slice(2);
const SHEET_WIDTH = 1600;
const GAP = 6;
const columnColors = [
  [214, 39, 40],
  [255, 127, 14],
] as const;
const rowColors = [
  [31, 119, 180],
  [44, 160, 44],
] as const;

await mkdir(target, { recursive: true });
await writeSheet("nano-charts", await nanoTasks());
await writeSheet(
  "tables-wikitablequestions",
  await everyOther("wikitablequestions", "wtq/dev/questions.jsonl", { tables: "wtq/dev" }),
);
await writeSheet(
  "tables-tabfact",
  await everyOther("tabfact", "tabfact/dev/statements.jsonl", { tables: "tabfact/dev" }),
);
await writeSheet(
  "charts-vega",
  firstOfImage(await load("refocus", "extra_charts/dev/annotations.jsonl", { images: "extra_charts/dev" })).slice(
    0,
    15,
  ),
);
await writeSheet("charts-our-world-in-data", await openCharts(), 2580);

async function nanoTasks(): Promise<VisualTask[]> {
  const tasks: VisualTask[] = [];
  for (const [place, split] of nanoSplits.entries()) {
    const charts = await createNanoCharts({ seed: 1, size: place === 2 ? 168 : 112 });
    for (let index = 0; index < 20; index += 1) tasks.push((await charts.chart(split, index)).task);
  }
  return tasks;
}

async function openCharts(): Promise<VisualTask[]> {
  const file = "chartqa/dev/annotations.jsonl";
  const rows = readFileSync(join(data, file), "utf8").trim().split("\n");
  const annotations = rows.map(
    (line) => JSON.parse(line) as { image_id: string; publisher: string; boxes: { quality: string } | null },
  );
  const open = new Set(
    annotations.filter((row) => row.publisher === "owid" && row.boxes?.quality === "good").map((row) => row.image_id),
  );
  const tasks = firstOfImage(await load("refocus", file, { images: "chartqa/dev" }));
  return tasks.filter((task) => open.has(task.id.split("/")[0] ?? "")).slice(0, 15);
}

/** Fifteen tables of different sizes, each once. */
async function everyOther(format: DataFormat, file: string, folders: { tables: string }): Promise<VisualTask[]> {
  return firstOfImage(await load(format, file, folders))
    .filter((_, index) => index % 6 === 0)
    .slice(0, 15);
}

async function load(
  format: DataFormat,
  file: string,
  folders: { images?: string; tables?: string },
): Promise<VisualTask[]> {
  const absolute = Object.fromEntries(Object.entries(folders).map(([name, folder]) => [name, join(data, folder)]));
  const tasks: VisualTask[] = [];
  const files = await localFiles(join(data, file));
  for await (const task of loadTasks({ format, files, onBadRow: "skip", ...absolute })) tasks.push(task);
  return tasks;
}

function firstOfImage(tasks: readonly VisualTask[]): VisualTask[] {
  return [...new Map([...tasks].reverse().map((task) => [task.content.image.id, task])).values()].reverse();
}

/** Pictures in lines, each as high as its highest. */
async function writeSheet(name: string, tasks: readonly VisualTask[], widest: number = SHEET_WIDTH): Promise<void> {
  const places: { image: RawImage; left: number; top: number }[] = [];
  let [left, top, height] = [GAP, GAP, 0];
  for (const task of tasks) {
    const image = withBoxes(task.content);
    if (left > GAP && left + image.width + GAP > widest) [left, top, height] = [GAP, top + height + GAP, 0];
    places.push({ image, left, top });
    left += image.width + GAP;
    height = Math.max(height, image.height);
  }
  const width = Math.max(...places.map((place) => place.left + place.image.width)) + GAP;
  const sheet: RawImage = {
    width,
    height: top + height + GAP,
    channels: 3,
    data: new Uint8Array(width * (top + height + GAP) * 3).fill(128),
  };
  for (const { image, left: x, top: y } of places) {
    for (let row = 0; row < image.height; row += 1) {
      sheet.data.set(
        image.data.subarray(3 * row * image.width, 3 * (row + 1) * image.width),
        3 * ((y + row) * width + x),
      );
    }
  }
  await writeImage(join(target, `${name}.png`), sheet);
  console.log(`${name}: ${tasks.length} pictures, ${sheet.width} x ${sheet.height}`);
}

function withBoxes({ image, columns, rows }: VisualContent): RawImage {
  const picture = copyImage(toRgb(image));
  for (const [boxes, colors] of [
    [columns, columnColors],
    [rows, rowColors],
  ] as const) {
    for (const [index, box] of boxes.entries()) drawBox(picture, box, colors[index % 2] ?? colors[0]);
  }
  return picture;
}

function drawBox(picture: RawImage, { x1, y1, x2, y2 }: NamedBox, color: readonly number[]): void {
  const paint = (x: number, y: number): void => {
    if (x >= 0 && y >= 0 && x < picture.width && y < picture.height)
      picture.data.set(color, 3 * (y * picture.width + x));
  };
  const [left, top, right, bottom] = [Math.round(x1), Math.round(y1), Math.round(x2), Math.round(y2)];
  for (let x = left; x <= right; x += 1) [top, bottom].map((y) => paint(x, y));
  for (let y = top; y <= bottom; y += 1) [left, right].map((x) => paint(x, y));
}
