// What lies in a run's directory, read without trust: `config.yaml`, `timings.jsonl`, and metrics of the published steps.
import { createReadStream } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { checkRegularFile, listSteps, readEntries, type StepFile } from "@iapo/rollout-trace/files";
import { z } from "zod";
import { RunReportError } from "../error.ts";

export interface StepMetrics {
  readonly step: number;
  readonly metrics: Readonly<Record<string, number | null>>;
}

/** Files of a run other than its steps are small; a larger one is not theirs. */
const maxBytes = 64 * 2 ** 20;

/** The configuration as its user wrote it; undefined where the run was made by a program. */
export function readConfigText(run: string): Promise<string | undefined> {
  return readSmall(join(run, "config.yaml"));
}

/** The published steps, ascending. @throws RunReportError `missing` where there is none */
export async function stepsOf(run: string): Promise<StepFile[]> {
  const steps = await listSteps(join(run, "steps"));
  if (steps.length > 0) return steps;
  throw new RunReportError(
    "missing",
    `${run} has no finished step in ${join(run, "steps")}: a step is there once a checkpoint holds it; let the run go on`,
  );
}

/** @throws TraceError as `readEntries` */
export async function readMetrics({ path, step }: StepFile): Promise<StepMetrics> {
  let metrics: StepMetrics["metrics"] = {};
  for await (const entry of readEntries(createReadStream(path), path))
    if (entry.kind === "metrics") metrics = entry.metrics; // what comes after is still checked
  return { step, metrics };
}

/** A step that should have a value but was not finite is a gap; one that does not have it is none. */
export function pointsOf(steps: readonly StepMetrics[], metric: string): { x: number; y: number | null }[] {
  return steps.flatMap(({ step, metrics }) => {
    const y = Object.hasOwn(metrics, metric) ? metrics[metric] : undefined;
    return y === undefined ? [] : [{ x: step, y }];
  });
}

/** Seconds of each step by part. A step that was done again counts by its last line; what is no such line is passed over. */
export async function readTimings(run: string): Promise<Map<number, Readonly<Record<string, number>>>> {
  return new Map((await readMeasured(run)).map(({ step, timings }) => [step, timings]));
}

/** `memory/...` of each step. As {@link readTimings}. */
export async function readMemory(run: string): Promise<Map<number, Readonly<Record<string, number>>>> {
  return new Map((await readMeasured(run)).map(({ step, memory }) => [step, memory]));
}

/** What a line of `timings.jsonl` says of its step. */
export interface Measured {
  readonly step: number;
  /** Seconds by part, in the order of the work. */
  readonly timings: Readonly<Record<string, number>>;
  /** `memory/...` */
  readonly memory: Readonly<Record<string, number>>;
}

const lineSchema = z.record(z.string(), z.number());

/** Undefined for what is no such line. */
export function measuredOf(line: string): Measured | undefined {
  const parsed = lineSchema.safeParse(jsonOrUndefined(line));
  if (!parsed.success || parsed.data.step === undefined) return undefined;
  const { step, ...values } = parsed.data;
  const entries = Object.entries(values);
  const timings = entries.filter(([name]) => name.startsWith("timing_s/"));
  const memory = entries.filter(([name]) => name.startsWith("memory/"));
  return {
    step,
    timings: Object.fromEntries(timings.map(([name, seconds]) => [name.replace("timing_s/", ""), seconds])),
    memory: Object.fromEntries(memory),
  };
}

async function readMeasured(run: string): Promise<Measured[]> {
  const text = (await readSmall(join(run, "timings.jsonl"))) ?? "";
  return text.split("\n").flatMap((line) => measuredOf(line) ?? []);
}

/** A kill may have cut the last line. */
function jsonOrUndefined(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}

/** Undefined where there is no such file. */
export async function readSmall(path: string): Promise<string | undefined> {
  try {
    await checkRegularFile(path, maxBytes);
    return await readFile(path, "utf8");
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR") return undefined;
    throw new RunReportError("invalid", `${path} cannot be read: ${message}`, { cause });
  }
}
