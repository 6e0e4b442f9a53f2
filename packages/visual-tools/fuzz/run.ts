/** Runs responses through an interpreter and checks the promises that no response may break. */
import { createHash } from "node:crypto";
import type { RawImage } from "@iapo/rollout-trace";
import fc from "fast-check";
import {
  defaultToolOptions,
  type ProgramInput,
  type ToolInterpreter,
  type ToolOptions,
  toolInterpreter,
  toolPresets,
} from "../src/index.ts";
import { escapes, hostileResponses, responses } from "./programs.ts";

const limits = { ...defaultToolOptions.limits, pixels: 64 * 64 * 24 };

const interpreters: readonly ToolInterpreter[] = [defaultToolOptions, ...Object.values(toolPresets)].map(
  (options: ToolOptions) => toolInterpreter({ ...options, limits }),
);

function picture(width: number, height: number, channels: 3 | 4): RawImage {
  const data = Uint8Array.from({ length: width * height * channels }, (_, index) => (index * 131 + width) % 256);
  return { width, height, channels, data };
}

const box = (name: string, x1: number, y1: number, x2: number, y2: number) => ({ name, x1, y1, x2, y2 });

const inputs: readonly ProgramInput[] = [picture(64, 64, 3), picture(1, 1, 3), picture(64, 17, 4)].map((image) => ({
  image,
  columns: [box("Year", 0, 0, image.width / 2, image.height), box("7", image.width / 2, 0, image.width, image.height)],
  rows: [box("a b", 0, 0, image.width, 8), box("Year", -5, 8, 1e9, 16), box("constructor", 3, 3, 3, 3)],
}));

const digest = (image: RawImage): string => createHash("sha256").update(image.data).digest("hex");
const untouched = inputs.map(({ image }) => digest(image));

/** A picture of the globals: names, and identity of what every program could hope to reach. */
const globals = (): string => Object.getOwnPropertyNames(globalThis).sort().join();
const prototypes = (): string =>
  [Object, Array, Map, Set, Function, String, RegExp]
    .map((type) => Object.getOwnPropertyNames(type.prototype).join())
    .join("|");

export type FuzzReport = {
  readonly programs: number;
  readonly statuses: Readonly<Record<string, number>>;
  readonly p50Ms: number;
  readonly p9999Ms: number;
  readonly maxMs: number;
};

function checkRun(interpreter: ToolInterpreter, input: ProgramInput, response: string): string {
  const { outcome, usage } = interpreter.run(response, input);
  for (const [name, used] of Object.entries(usage)) {
    const limit = limits[name as keyof typeof usage];
    if (!(used >= 0 && used <= limit)) throw new Error(`${used} ${name}, more than ${limit}`);
  }
  if ((outcome.status === "ok") !== (outcome.image !== undefined))
    throw new Error(`${outcome.status} with a wrong image`);
  const needsReason = outcome.status !== "ok" && outcome.status !== "no_tool";
  if (needsReason !== (outcome.reason !== undefined)) throw new Error(`${outcome.status} with a wrong reason`);
  return outcome.status;
}

/**
 * Runs `count` generated responses, and every known escape, each through one of the presets.
 *
 * @throws Error with the response that throws, exceeds a limit, or changes an image, a prototype or a global
 */
export function fuzzTools(count: number, seed: number): FuzzReport {
  const before = { globals: globals(), prototypes: prototypes() };
  const times = new Float64Array(count);
  const statuses: Record<string, number> = {};
  const run = (response: string, index: number): number => {
    const interpreter = interpreters[index % interpreters.length]!;
    const input = inputs[Math.floor(index / interpreters.length) % inputs.length]!;
    const start = performance.now();
    try {
      const status = checkRun(interpreter, input, response);
      statuses[status] = (statuses[status] ?? 0) + 1;
    } catch (error) {
      throw new Error(`broken by ${JSON.stringify(response.slice(0, 500))}`, { cause: error });
    }
    return performance.now() - start;
  };

  let done = 0;
  while (done < count) {
    const batch = fc.sample(responses, { seed: seed + done, numRuns: Math.min(1000, count - done) });
    for (const response of batch) times[done] = run(response, done++);
  }
  let slowestEscape = 0;
  for (const response of [...escapes, ...hostileResponses]) {
    for (let index = 0; index < interpreters.length; index++)
      slowestEscape = Math.max(slowestEscape, run(response, index));
  }

  for (const [index, { image }] of inputs.entries()) {
    if (digest(image) !== untouched[index]) throw new Error("a program changed the image it was given");
  }
  if (globals() !== before.globals || prototypes() !== before.prototypes) throw new Error("a program changed a global");
  times.sort();
  const quantile = (q: number): number => times[Math.min(count - 1, Math.floor(q * count))]!;
  return {
    programs: count,
    statuses,
    p50Ms: quantile(0.5),
    p9999Ms: quantile(0.9999),
    maxMs: Math.max(times.at(-1)!, slowestEscape),
  };
}
