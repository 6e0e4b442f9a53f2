// iapo doctor --measure: part after part, each in a process of its own, and the file written whole after each.
import { fileURLToPath } from "node:url";
import { problemOf } from "@iapo/rollout-trace";
import { writeFileAtomic } from "@iapo/rollout-trace/files";
import { ExitCode } from "../../exit-code.ts";
import type { CliIo } from "../../io.ts";
import { ownVersion } from "../../version.ts";
import { type Outcome, runWithDeadline } from "./child.ts";
import { type Measurement, type PartName, type Parts, partNames, partSchemas } from "./report.ts";
import { isSound, verdictOf } from "./verdict.ts";

const main = fileURLToPath(
  new URL(`../../main${import.meta.filename.endsWith(".ts") ? ".ts" : ".js"}`, import.meta.url),
);

/** Of the time that there is in all. */
const shares: Readonly<Record<PartName, number>> = {
  ...{
    adapters: 0.03,
    maths: 0.05,
    peaks: 0.1,
    parity: 0.07,
    conformance: 0.35,
    kernels: 0.2,
    phases: 0.12,
    memory: 0.08,
  },
};
/** A part that begins has at least so long: drivers compile for some seconds. */
const LEAST_SECONDS = 60;

export interface MeasureFlags {
  readonly minutes: number;
  /** The file that is written; standard output has the JSON where there is none and `json` is set. */
  readonly file?: string | undefined;
  readonly json: boolean;
}

/** Runs a part and says how it ended. */
export type RunPart = (name: PartName, seconds: number) => Promise<Outcome>;

export async function measure({ minutes, file, json }: MeasureFlags, io: CliIo): Promise<number> {
  const run: RunPart = (name, seconds) =>
    runWithDeadline([...process.execArgv, main, "doctor", "--part", `${name}:${seconds}`], seconds, io.signal);
  const measured = await measureParts(run, minutes, async (sofar, name) => {
    const part = sofar.parts[name];
    io.note(`${name}: ${part?.state ?? "nothing"}, ${part?.seconds.toFixed(1) ?? 0} s`);
    if (file !== undefined) await writeFileAtomic(file, textOf(sofar));
  });
  if (json && file === undefined) io.out(textOf(measured).trimEnd());
  else io.out(measured.verdict.map((sentence) => `  ${sentence}`).join("\n"));
  if (file !== undefined) io.note(`${file} has all of it; docs/gpu-day.md says how to send it in`);
  const { adapters } = measured.parts;
  const hasNoAdapter = adapters !== undefined && adapters.state !== "done" && adapters.reason.includes("(no_adapter)");
  return hasNoAdapter ? ExitCode.noAdapter : isSound(measured.parts) ? ExitCode.done : ExitCode.failed;
}

/** `onPart` is called with all there is whenever a part has ended. Without an adapter nothing else is tried. */
export async function measureParts(
  run: RunPart,
  minutes: number,
  onPart: (sofar: Measurement, ended: PartName) => Promise<void>,
): Promise<Measurement> {
  const parts: Parts = {};
  const report = (): Measurement => ({
    ...{ format: "iapo-measurement", version: 1, iapo: ownVersion(), node: process.versions.node },
    ...{ platform: `${process.platform} ${process.arch}`, minutes, parts, verdict: verdictOf(parts) },
  });
  for (const name of partNames) {
    const outcome = await run(name, Math.max(LEAST_SECONDS, 60 * minutes * shares[name]));
    Object.assign(parts, { [name]: ended(name, outcome) });
    await onPart(report(), name);
    if (name === "adapters" && outcome.state !== "done") break;
  }
  return report();
}

/** A result that is no result is a failure of its part. */
function ended(name: PartName, outcome: Outcome): object {
  const { state, seconds } = outcome;
  if (state !== "done") return outcome;
  try {
    return { state, seconds, found: partSchemas[name].parse(JSON.parse(outcome.output)) };
  } catch (error) {
    return {
      state: "failed",
      seconds,
      reason: `its result cannot be read: ${problemOf(error).replaceAll("\n", " ").slice(0, 500)}`,
    };
  }
}

const textOf = (measured: Measurement): string => `${JSON.stringify(measured, rounded, 2)}\n`;

/** Five digits are more than are measured. */
function rounded(_: string, value: unknown): unknown {
  return typeof value === "number" && !Number.isInteger(value) ? Number(value.toPrecision(5)) : value;
}
