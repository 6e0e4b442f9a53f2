/**
 * What a viewer with open pages costs a training on the same machine. The same steps of the same run are trained twice; viewers with open pages are
 * there both times, but are shown only every other step, when it has ended: the even ones of one training and the odd ones of the other, whose
 * successors are trained while the viewers read them and pages are asked for again. So each step is timed with and without that, and what the machine
 * itself drifts by from training to training leaves the difference of neighboring steps.
 * One viewer costs less than the same step differs by from one time to the other. So VIEWERS (5) are open at once, and what they cost together is
 * divided by their number: no less than what one costs, as each finds less that is idle than one alone would.
 * Steps are the cheapest for each episode that there are (nano), so that this is the dearest case for the viewer.
 * Prints `{ name, rows: [{ case, unit, ours, correct }] }`, medians over neighbors and their 95 % interval by ranks; `correct`: all trainings
 * wrote the same bytes, and the pages were asked for again after the steps. ROUNDS (2, a pair of trainings each) and STEPS (40) may be set.
 */
import type { ChildProcess } from "node:child_process";
import { createHash } from "node:crypto";
import { appendFileSync, cpSync, linkSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { ended, iapo, startViewer } from "./program.ts";

const VIEWERS = Number(process.env.VIEWERS ?? 5);
const ROUNDS = Number(process.env.ROUNDS ?? 2);
const STEPS = Number(process.env.STEPS ?? 40);
/** Both follow the run: what they show is asked for again after each step, as a browser does. */
const pages = ["/", "/curves?run=run"];

const folder = mkdtempSync(join(tmpdir(), "iapo-viewer-open-"));

/** Of one training: seconds of each step but the first, by the clock and of its processor time, and processor time and requests of a viewer. */
interface Timed {
  readonly wall: readonly number[];
  readonly processor: readonly number[];
  readonly viewer: readonly number[];
  readonly requests: number;
  readonly hash: string;
}

try {
  const begun = join(folder, "begun");
  await ended(iapo(["train", "nano-grpo", "--set", "grpo.evaluate=", "--set", "grpo.steps=1", "--out", begun]));
  const rounds: (readonly [odd: Timed, even: Timed])[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    rounds.push([await training(begun, 1), await training(begun, 0)]);
    for (const what of ["wall", "processor"] as const) {
      console.error(`round ${round + 1}, ${what}: ${median(rounds.slice(-1).flatMap(more(what))).toFixed(2)} %`);
    }
  }
  console.log(JSON.stringify({ name: "viewer-open", rows: rowsOf(rounds) }));
} finally {
  rmSync(folder, { recursive: true, force: true });
}

/** Percent that the viewers add, by each two neighboring steps of a pair of trainings. */
function more(what: "wall" | "processor") {
  return ([odd, even]: readonly [Timed, Timed]): number[] => {
    const ratios = odd[what].map((seconds, i) => Math.log(seconds / (even[what][i] ?? Number.NaN)));
    return Array.from({ length: ratios.length >> 1 }, (_, i) => {
      // They are there in one of the two steps of the first training, and in the other one of the second.
      const difference = (ratios[2 * i] ?? Number.NaN) - (ratios[2 * i + 1] ?? Number.NaN);
      return 100 * Math.expm1(isOpenAt(2 * i, 1) ? difference / 2 : -difference / 2);
    });
  };
}

function rowsOf(rounds: readonly (readonly [Timed, Timed])[]): object[] {
  const trainings = rounds.flat();
  const correct =
    new Set(trainings.map(({ hash }) => hash)).size === 1 &&
    trainings.every(({ requests }) => requests >= (pages.length * STEPS) / 2);
  const row = (name: string, unit: string, ours: number) => ({
    case: name,
    unit,
    ours: Number(ours.toFixed(3)),
    correct,
  });
  const compared = (["wall", "processor"] as const).flatMap((what) => {
    const differences = rounds.flatMap(more(what));
    const [low, high] = medianInterval(differences);
    const name = what === "wall" ? "a step by the clock" : "a step's processor time";
    return [
      row(name, "s", median(trainings.flatMap((training) => training[what]))),
      row(`  more with ${VIEWERS} viewers open`, "%", median(differences)),
      row("  more with a viewer open", "%", median(differences) / VIEWERS),
      row("  interval, from", "%", low / VIEWERS),
      row("  interval, to", "%", high / VIEWERS),
    ];
  });
  const viewer = trainings.flatMap((training, i) => training.viewer.filter((_, step) => isOpenAt(step, 1 - (i % 2))));
  return [...compared, row("a viewer's processor time for a step", "s", median(viewer))];
}

/** Whether viewers of the training with this parity have a step to read in a timed step. */
function isOpenAt(step: number, parity: number): boolean {
  return step % 2 === parity;
}

/** Goes on with a copy of the run by `STEPS` steps, of which viewers are shown every other one. */
async function training(begun: string, parity: number): Promise<Timed> {
  const room = mkdtempSync(join(folder, "training-"));
  const [directory, shown] = [join(room, "run"), join(room, "shown")];
  for (const copy of [directory, join(shown, "run")]) cpSync(begun, copy, { recursive: true });
  const viewers = await Promise.all(Array.from({ length: VIEWERS }, () => openViewer(shown)));
  const child = iapo(["train", "--resume", directory, "--set", `grpo.steps=${STEPS + 1}`]);
  const end = ended(child);
  const steps = join(directory, "steps");
  const processorAt: number[] = [];
  const viewerAt: number[] = [];
  let isOver = false;
  void end.finally(() => (isOver = true)).catch(() => {});
  try {
    while (!isOver) {
      if (timedSteps(directory) - 1 > processorAt.length) {
        processorAt.push(processorSeconds(child));
        viewerAt.push(viewers.reduce((sum, viewer) => sum + viewer.seconds(), 0) / VIEWERS);
        if (isOpenAt(processorAt.length - 1, parity)) showLast(directory, join(shown, "run"));
      }
      await sleep(20);
    }
    await end;
  } finally {
    child.kill("SIGKILL"); // it goes on where something here has failed
    await Promise.all(viewers.map((viewer) => viewer.close()));
  }
  const files = finished(steps);
  const written = files.slice(1).map((name) => statSync(join(steps, name), { bigint: true }).mtimeNs);
  const hash = createHash("sha256");
  for (const name of files) hash.update(readFileSync(join(steps, name)));
  rmSync(room, { recursive: true });
  const between = (values: readonly number[]): number[] => values.slice(1).map((value, i) => value - (values[i] ?? 0));
  return {
    wall: between(written.map((at) => Number(at) / 1e9)),
    processor: between(processorAt),
    viewer: between(viewerAt),
    requests: Math.min(...viewers.map((viewer) => viewer.requests())),
    hash: hash.digest("hex"),
  };
}

/** The last step and its times, and who trains: as if it were the run itself. */
function showLast(directory: string, shown: string): void {
  for (const name of readdirSync(directory).filter((name) => name.endsWith(".lock")))
    cpSync(join(directory, name), join(shown, name));
  // No checkpoint holds it yet, which its name says.
  const last = readdirSync(join(directory, "steps")).sort().at(-1) ?? "";
  linkSync(join(directory, "steps", last), join(shown, "steps", last));
  const [line] = readFileSync(join(directory, "timings.jsonl"), "utf8").trimEnd().split("\n").slice(-1);
  appendFileSync(join(shown, "timings.jsonl"), `${line}\n`);
}

/** A step's line is written when all of it is done. */
function timedSteps(directory: string): number {
  return readFileSync(join(directory, "timings.jsonl"), "utf8").split("\n").length - 1;
}

/** Step files that a checkpoint holds. */
function finished(steps: string): string[] {
  return readdirSync(steps)
    .filter((name) => /^step-\d+\.jsonl/.test(name) && !name.endsWith(".partial"))
    .sort();
}

async function openViewer(shown: string) {
  const { child, url, end } = await startViewer(shown);
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

/** User and system time of all threads. */
function processorSeconds({ pid }: ChildProcess): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
  return (Number(fields[11]) + Number(fields[12])) / 100;
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
