/**
 * What a viewer with open pages costs a training on the same machine: the same steps of the same run are trained with and without it, by turns.
 * A pair's figure is the median over its steps of how much longer each took; the figure of all is the median over pairs, its 95 % interval that of
 * the ranks. Steps are the cheapest for each episode that there are (nano), so that this is the dearest case for the viewer.
 * Prints `{ name, rows: [{ case, unit, ours, correct }] }`; `correct`: both trainings wrote the same bytes. PAIRS (9) and STEPS (7) may be set.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

const PAIRS = Number(process.env.PAIRS ?? 9);
const STEPS = Number(process.env.STEPS ?? 7);
/** Both follow the run: what they show is asked for again after each step, as a browser does. */
const pages = ["/", "/curves?run=run"];

const main = join(import.meta.dirname, "../../../apps/trainer/src/main.ts");
const folder = mkdtempSync(join(tmpdir(), "iapo-viewer-open-"));

/** Of one training: seconds of each step but the first, by the clock and of this process' processor time, and the viewer's processor time. */
interface Timed {
  readonly wall: readonly number[];
  readonly processor: readonly number[];
  readonly viewer: number;
  readonly requests: number;
  readonly hash: string;
}

try {
  const begun = join(folder, "begun");
  await ended(iapo(["train", "nano-grpo", "--set", "grpo.evaluate=", "--set", "grpo.steps=1", "--out", begun]));
  const pairs: { without: Timed; open: Timed }[] = [];
  for (let pair = 0; pair < PAIRS; pair++) {
    const isOpenFirst = pair % 2 === 1;
    const first = await training(begun, isOpenFirst);
    const second = await training(begun, !isOpenFirst);
    pairs.push(isOpenFirst ? { without: second, open: first } : { without: first, open: second });
    const { without, open } = pairs.at(-1) as (typeof pairs)[number];
    console.error(
      `pair ${pair + 1}: ${percentMore(without.wall, open.wall).toFixed(2)} % by the clock, ${percentMore(without.processor, open.processor).toFixed(2)} % of processor time`,
    );
  }
  console.log(JSON.stringify({ name: "viewer-open", rows: rowsOf(pairs) }));
} finally {
  rmSync(folder, { recursive: true, force: true });
}

function rowsOf(pairs: readonly { without: Timed; open: Timed }[]): object[] {
  const hashes = pairs.flatMap(({ without, open }) => [without.hash, open.hash]);
  const correct = new Set(hashes).size === 1 && pairs.every(({ open }) => open.requests >= pages.length * STEPS);
  const row = (name: string, unit: string, ours: number) => ({
    case: name,
    unit,
    ours: Number(ours.toFixed(3)),
    correct,
  });
  const compared = (["wall", "processor"] as const).flatMap((what) => {
    const differences = pairs.map(({ without, open }) => percentMore(without[what], open[what]));
    const [low, high] = medianInterval(differences);
    const name = what === "wall" ? "a step by the clock" : "a step's processor time";
    return [
      row(`${name}, without a viewer`, "s", median(pairs.map(({ without }) => median(without[what])))),
      row("  more with a viewer open", "%", median(differences)),
      row("  interval, from", "%", low),
      row("  interval, to", "%", high),
    ];
  });
  return [
    ...compared,
    row("the viewer's processor time for a step", "s", median(pairs.map(({ open }) => open.viewer))),
  ];
}

/** Goes on with a copy of the run by `STEPS` steps. */
async function training(begun: string, isOpen: boolean): Promise<Timed> {
  const shown = mkdtempSync(join(folder, "shown-"));
  const directory = join(shown, "run");
  cpSync(begun, directory, { recursive: true });
  const viewer = isOpen ? await openViewer(shown) : undefined;
  const child = iapo(["train", "--resume", directory, "--set", `grpo.steps=${STEPS + 1}`]);
  const end = ended(child);
  const steps = join(directory, "steps");
  const processorAt: number[] = [];
  const viewerAt: number[] = [];
  let isOver = false;
  void end.finally(() => (isOver = true)).catch(() => {});
  while (!isOver) {
    if (timedSteps(directory) - 1 > processorAt.length) {
      processorAt.push(processorSeconds(child));
      viewerAt.push(viewer?.seconds() ?? 0);
    }
    await sleep(20);
  }
  await end;
  const requests = viewer?.requests() ?? 0;
  await viewer?.close();
  const files = finished(steps);
  const written = files.slice(1).map((name) => statSync(join(steps, name), { bigint: true }).mtimeNs);
  const hash = createHash("sha256");
  for (const name of files) hash.update(readFileSync(join(steps, name)));
  rmSync(shown, { recursive: true });
  const between = (values: readonly number[]): number[] => values.slice(1).map((value, i) => value - (values[i] ?? 0));
  return {
    wall: between(written.map((at) => Number(at) / 1e9)),
    processor: between(processorAt),
    viewer: viewer ? median(between(viewerAt)) : 0,
    requests,
    hash: hash.digest("hex"),
  };
}

/** A step's line is written when all of it is done. */
function timedSteps(directory: string): number {
  return readFileSync(join(directory, "timings.jsonl"), "utf8").split("\n").length - 1;
}

/** Step files, published or not. */
function finished(steps: string): string[] {
  return readdirSync(steps)
    .filter((name) => /^step-\d+\.jsonl/.test(name) && !name.endsWith(".partial"))
    .sort();
}

async function openViewer(shown: string) {
  const child = iapo(["view", shown, "--port", "0"]);
  const end = ended(child);
  const url = await new Promise<string>((resolve) =>
    child.stdout?.once("data", (text) => resolve(String(text).trim())),
  );
  const stop = new AbortController();
  let requests = 0;
  const read = async (page: string): Promise<void> => {
    const response = await fetch(new URL(page, url));
    await response.text();
    if (!response.ok) throw new Error(`${page} is not there`);
    requests++;
  };
  const following = pages.map(async (page) => {
    await read(page);
    const { body } = await fetch(new URL("/events", url), { signal: stop.signal });
    for await (const chunk of body ?? []) if (Buffer.from(chunk).includes("event: change")) await read(page);
  });
  const left = Promise.allSettled(following);
  await sleep(1000);
  return {
    seconds: () => processorSeconds(child),
    requests: () => requests,
    async close() {
      stop.abort();
      await left;
      child.kill("SIGINT");
      await end;
    },
  };
}

function iapo(args: readonly string[]): ChildProcess {
  return spawn(process.execPath, ["--conditions=@iapo/source", "--no-warnings", main, ...args], {
    stdio: ["ignore", "pipe", "pipe"],
  });
}

async function ended(child: ChildProcess): Promise<void> {
  let said = "";
  child.stdout?.resume();
  child.stderr?.on("data", (text) => (said += text));
  const code = await new Promise((resolve) => child.on("close", resolve));
  if (code !== 0) throw new Error(`exit code ${code}: ${said}`);
}

/** User and system time of all threads. */
function processorSeconds({ pid }: ChildProcess): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

function percentMore(without: readonly number[], open: readonly number[]): number {
  return 100 * median(without.map((seconds, i) => (open[i] ?? Number.NaN) / seconds - 1));
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1
    ? (sorted[middle] ?? Number.NaN)
    : ((sorted[middle - 1] ?? 0) + (sorted[middle] ?? 0)) / 2;
}

/** Of the median, by ranks, at least 95 % where there are six values or more: https://en.wikipedia.org/wiki/Sign_test. */
function medianInterval(values: readonly number[]): [number, number] {
  const sorted = values.toSorted((a, b) => a - b);
  let [rank, outside, chance] = [0, 0, 0.5 ** sorted.length];
  while (2 * (outside + chance) <= 0.05) {
    outside += chance;
    chance *= (sorted.length - rank) / (rank + 1);
    rank++;
  }
  const lowest = Math.max(rank - 1, 0);
  return [sorted[lowest] ?? Number.NaN, sorted[sorted.length - 1 - lowest] ?? Number.NaN];
}
