// Runs of the real command line, for benchmarks of fleets: what they say, what they wrote, and processes that are killed.
import { type ChildProcess, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

const main = join(import.meta.dirname, "../../../apps/trainer/src/main.ts");

export interface Running {
  readonly child: ChildProcess;
  /** All that it has said so far. */
  said(): string;
  readonly ended: Promise<{ readonly code: number | null; readonly seconds: number }>;
}

/** @param before a program and arguments in front of it, such as `ip netns exec NAME` */
export function iapo(args: readonly string[], before: readonly string[] = []): Running {
  return started([...before, "node", "--conditions=@iapo/source", "--no-warnings", main, ...args]);
}

export function started([program = "", ...rest]: readonly string[]): Running {
  const began = performance.now();
  const child = spawn(program, rest, { stdio: ["ignore", "ignore", "pipe"] });
  let said = "";
  child.stderr?.on("data", (text: Buffer) => {
    said += text;
  });
  const ended = new Promise<{ code: number | null; seconds: number }>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => resolve({ code, seconds: (performance.now() - began) / 1000 }));
  });
  return { child, said: () => said, ended };
}

/** @throws for a run that has failed, with what it said */
export async function finished(run: Running): Promise<number> {
  const { code, seconds } = await run.ended;
  if (code !== 0) throw new Error(`a run has ended by ${code}:\n${run.said().slice(-3000)}`);
  return seconds;
}

/** Waits until a process has said something. @throws where it ends before */
export function says(run: Running, what: RegExp): Promise<void> {
  return until(run, () => what.test(run.said()), `it said ${what}`);
}

/** @param what it is, for people. @throws where the process ends before it is so */
export async function until(run: Running, isSo: () => boolean, what: string): Promise<void> {
  let isOver = false;
  const end = (): void => {
    isOver = true;
  };
  run.ended.then(end, end);
  while (!isSo()) {
    if (isOver) throw new Error(`a run has ended before ${what}:\n${run.said().slice(-3000)}`);
    await sleep(50);
  }
}

/** SHA-256 over the files that the seed decides: steps, checkpoints, images. */
export function hashOfRun(directory: string): string {
  const files = readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => /^(steps|checkpoints|images)\//.test(relative(directory, path)))
    .sort();
  const hash = createHash("sha256");
  for (const path of files)
    hash.update(`${relative(directory, path)} ${createHash("sha256").update(readFileSync(path)).digest("hex")}\n`);
  return hash.digest("hex");
}

export interface StepOfFleet {
  readonly units: number;
  readonly copies: number;
  readonly redelivered: number;
  readonly returned: number;
  readonly messages: number;
  readonly bytesSent: number;
  readonly bytesReceived: number;
  readonly milliseconds: number;
  readonly waited: number;
  readonly workers: Readonly<Record<string, { readonly units: number; readonly milliseconds: number }>>;
}

/** What `fleet.jsonl` says; none where there were no workers. */
export function stepsOfFleet(directory: string): StepOfFleet[] {
  const path = join(directory, "fleet.jsonl");
  if (!existsSync(path)) return [];
  const lines = readFileSync(path, "utf8").split("\n").slice(0, -1); // the last one may be half written
  return lines.map((line) => JSON.parse(line) as StepOfFleet);
}

export function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

/** Kills one process, which may have ended meanwhile. */
export function killed(pid: number): boolean {
  try {
    return process.kill(pid, "SIGKILL");
  } catch {
    return false;
  }
}

const TICKS = 100; // a second, on every Linux

/** Processor seconds of a process so far, all its threads. @throws where it has ended */
export function processorSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").replace(/.*\) /s, "").split(" ");
  return (Number(fields[11]) + Number(fields[12])) / TICKS;
}

/** Processes that a process has started. */
export function childrenOf(pid: number): number[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim().split(" ").filter(Boolean).map(Number);
}
