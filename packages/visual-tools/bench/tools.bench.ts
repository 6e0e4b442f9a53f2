/**
 * Tool programs a second on an 800 x 600 RGB image, one core: cut out, parsed, run, result compared with the original.
 * Prints `{ name, rows: [{ case, unit, ours, goal, correct }] }` as JSON. `ours` is the median of seven timings of at least 0.2 s of CPU time;
 * `correct` compares the image with one computed pixel by pixel from the definition.
 * Run as `node --conditions=@iapo/source packages/visual-tools/bench/tools.bench.ts`.
 */
import type { RawImage } from "@iapo/rollout-trace";
import type { NamedBox } from "../src/boxes.ts";
import { defaultToolOptions, toolInterpreter, toRgb } from "../src/index.ts";

const width = 800;
const height = 600;
const goal = 300;

const image: RawImage = {
  width,
  height,
  channels: 3,
  data: Uint8Array.from({ length: width * height * 3 }, (_, index) => Math.imul(index, 2654435761) >>> 24),
};

const columns: NamedBox[] = Array.from({ length: 6 }, (_, i) => ({
  name: `c${i}`,
  x1: 20 + 130 * i,
  y1: 10,
  x2: 130 + 130 * i,
  y2: 580,
}));
const rows: NamedBox[] = Array.from({ length: 10 }, (_, i) => ({
  name: `r${i}`,
  x1: 10,
  y1: 10 + 58 * i,
  x2: 780,
  y2: 60 + 58 * i,
}));

type Action = "highlight" | "mask" | "draw";
type Step = { readonly axis: "columns" | "rows"; readonly action: Action; readonly names: readonly string[] };

const inside = ({ x1, y1, x2, y2 }: NamedBox, grow: number, x: number, y: number): boolean =>
  x >= x1 - grow && x <= x2 + grow && y >= y1 - grow && y <= y2 + grow;

/** What one tool does to one pixel, by the definition of `vtool_v2`. */
function edit(pixel: readonly number[], { axis, action, names }: Step, x: number, y: number): readonly number[] {
  const boxes = axis === "columns" ? columns : rows;
  const focused = boxes.filter(({ name }) => names.includes(name));
  if (action === "mask") {
    const masked = boxes.slice(axis === "rows" ? 1 : 0).filter(({ name }) => !names.includes(name));
    return masked.some((box) => inside(box, 1, x, y)) ? [255, 255, 255] : pixel;
  }
  if (action === "draw") {
    return focused.some((box) => inside(box, 2, x, y) && !inside(box, -1, x, y)) ? [255, 0, 0] : pixel;
  }
  if (!focused.some((box) => inside(box, 2, x, y))) return pixel;
  return pixel.map((value, channel) => Math.round(((channel === 0 ? 255 : 0) * 50 + value * 205) / 255));
}

function isCorrect(result: RawImage | undefined, steps: readonly Step[]): boolean {
  if (result === undefined || result.width !== width || result.height !== height) return false;
  const { data } = toRgb(result);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const at = 3 * (y * width + x);
      const original: readonly number[] = [...image.data.subarray(at, at + 3)];
      const expected = steps.reduce((pixel, step) => edit(pixel, step, x, y), original);
      if (expected.some((value, channel) => data[at + channel] !== value)) return false;
    }
  }
  return true;
}

function programOf(steps: readonly Step[]): string {
  const lines = steps.map(({ axis, action, names }, index) => {
    const from = index === 0 ? "image_1" : "edited";
    return `edited = focus_on_${axis}_with_${action}(${from}, ${JSON.stringify(names)}, ${axis}_bbox)`;
  });
  return ["The column counts.", "```python", ...lines, "display(edited)", "```"].join("\n");
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1]!;
}

/** CPU seconds of the whole process so far: what else the machine does does not count, garbage collection does. */
function cpuSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

function programsPerSecond(run: () => void): number {
  const once = (): number => {
    const start = cpuSeconds();
    let count = 0;
    while (cpuSeconds() - start < 0.2) {
      run();
      count += 1;
    }
    return count / (cpuSeconds() - start);
  };
  once();
  return Math.round(median(Array.from({ length: 7 }, once)));
}

const single: Step[][] = (["highlight", "mask", "draw"] as const).flatMap((action) => [
  [{ axis: "columns", action, names: ["c1", "c4"] }],
  [{ axis: "rows", action, names: ["r2", "r5"] }],
]);
const chain: Step[] = [
  { axis: "columns", action: "mask", names: ["c1", "c4"] },
  { axis: "rows", action: "highlight", names: ["r2", "r5"] },
];

const interpreter = toolInterpreter(defaultToolOptions);
const result = [...single, chain].map((steps) => {
  const program = programOf(steps);
  const run = () => interpreter.run(program, { image, columns, rows });
  return {
    case: steps.map(({ axis, action }) => `${axis} ${action}`).join(" + "),
    unit: "programs/s",
    ours: programsPerSecond(run),
    goal,
    correct: isCorrect(run().outcome.image, steps),
  };
});

console.log(JSON.stringify({ name: "tools", rows: result }, null, 2));
