/**
 * Pictures and tasks a second on one core: drawn, boxed and (nano-charts) turned into a task with its content id.
 * Prints `{ name, rows: [{ case, unit, ours, goal, correct }] }` as JSON. `ours` is the median of seven timings of at least 0.3 s
 * of CPU time; `correct` reads the bars' lengths back out of the pixels.
 * Run as `node --conditions=@iapo/source packages/vqa-tasks/bench/charts.bench.ts`.
 */

import type { RawImage } from "@iapo/rollout-trace";
import { caption, createNanoCharts, demonstrate } from "../src/nano/index.ts";
import { barChartStyles, loadRasterizer, renderTable, tableStyles } from "../src/render/index.ts";

const charts = await createNanoCharts({ seed: 1 });
const rasterize = await loadRasterizer();
const colors = new Set(barChartStyles.flatMap((style) => style.bars));

const table = {
  columns: ["Rank", "Nation", "Gold", "Silver", "Bronze", "Total"],
  rows: Array.from({ length: 12 }, (_, row) => [String(row + 1), "Great Britain", "35", "30", "29", "94"]),
};
const style = tableStyles[0];
if (style === undefined) throw new Error("there are no table styles");

const cases = [
  {
    case: "nano-chart 112 px",
    unit: "charts/s",
    goal: 50,
    job: async (index: number) => void (await charts.chart("train", index)),
  },
  {
    case: "nano-chart caption",
    unit: "captions/s",
    goal: 50,
    job: async (index: number) => void (await caption(charts, "train", index)),
  },
  {
    case: "nano-chart demonstration",
    unit: "episodes/s",
    goal: 50,
    job: async (index: number) => void (await demonstrate(charts, "train", index)),
  },
  {
    case: "table 6 x 13",
    unit: "tables/s",
    goal: 10,
    job: async () => void renderTable(table, { style, fontSize: 14, maximumColumnWidth: 220 }, rasterize),
  },
];

const correct = await barsHaveTheirLengths();
const rows = [];
for (const { case: name, unit, goal, job } of cases) {
  rows.push({ case: name, unit, ours: await perSecond(job), goal, correct });
}
console.log(JSON.stringify({ name: "charts", rows }));

async function perSecond(job: (index: number) => Promise<void>): Promise<number> {
  for (let index = 0; index < 50; index += 1) await job(index);
  const rates: number[] = [];
  let index = 50;
  for (let round = 0; round < 7; round += 1) {
    const start = process.cpuUsage();
    let spent = 0;
    let count = 0;
    while (spent < 0.3e6) {
      for (let turn = 0; turn < 10; turn += 1, index += 1, count += 1) await job(index);
      const { user, system } = process.cpuUsage(start);
      spent = user + system;
    }
    rates.push((1e6 * count) / spent);
  }
  return Math.round(rates.sort((a, b) => a - b)[3] ?? 0);
}

/** Bars are as long, relative to the longest, as their values say: counted along the middle of each bar's box. */
async function barsHaveTheirLengths(): Promise<boolean> {
  for (let index = 0; index < 60; index += 1) {
    const { task, bars } = await charts.chart("validation", index);
    const boxes = task.content.orientation === "columns" ? task.content.columns : task.content.rows;
    const lengths = boxes.map((box) => barLength(task.content.image, box, task.content.orientation === "columns"));
    const longest = Math.max(...lengths);
    const largest = Math.max(...bars.map((bar) => bar.value));
    const off = bars.map((bar, place) => Math.abs((lengths[place] ?? 0) / longest - bar.value / largest));
    // One pixel of rounding and two of outline on each side of the ratio.
    if (Math.max(...off) > 4 / longest) return false;
  }
  return true;
}

function barLength(
  image: RawImage,
  box: { x1: number; y1: number; x2: number; y2: number },
  vertical: boolean,
): number {
  const [from, to] = vertical ? [box.y1, box.y2] : [box.x1, box.x2];
  const middle = Math.round(vertical ? (box.x1 + box.x2) / 2 : (box.y1 + box.y2) / 2);
  let length = 0;
  for (let at = from; at <= to; at += 1) {
    const pixel = 3 * (vertical ? at * image.width + middle : middle * image.width + at);
    const color = `#${Buffer.from(image.data.subarray(pixel, pixel + 3)).toString("hex")}`;
    if (colors.has(color)) length += 1;
  }
  return length;
}
