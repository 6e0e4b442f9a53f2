// iapo plan: what a run will take of memory and time, as text or JSON.
import { freemem } from "node:os";
import { type Job, type Plan, planJob, type TeacherWay, type Verdict, verdictOf } from "@iapo/jobs";
import { formatDuration } from "@iapo/run-report";
import { cardBudget } from "@iapo/tensor-core";
import { openAdapter } from "../adapter.ts";
import { size } from "../doctor/consequences.ts";
import { ExitCode } from "../exit-code.ts";
import type { CliIo } from "../io.ts";

export interface PlanFlags {
  /** Bytes. */
  readonly memory?: number | undefined;
  readonly probe: boolean;
  readonly card: boolean;
  readonly json: boolean;
}

/** GiB of usual cards. */
const CARD_SIZES = [24, 48, 80];

const inWords: Readonly<Record<Verdict, (room: string) => string>> = {
  fits: (room) => `fits into ${room}`,
  tight: (room) => `tight: under a tenth of ${room} is to spare, and prompts of later steps may be longer`,
  no: (room) => `does not fit into ${room}`,
};

export async function plan(job: Job, { json, ...flags }: PlanFlags, { out, note, signal }: CliIo): Promise<number> {
  using device = await openAdapter();
  note(`iapo plan ${job.name}: one step of iapo ${job.kind}, on paper`);
  const onProbe = (_: number, seconds: number | undefined): void =>
    note(
      seconds === undefined
        ? "a small step on the adapter, for its time"
        : `a whole step, about ${formatDuration(seconds)}`,
    );
  const made = await planJob(job, { ...flags, device, signal, onProbe });
  out(json ? JSON.stringify(made, null, 2) : asText(made, job.steps));
  return ExitCode.done;
}

function asText(plan: Plan, steps: number): string {
  const { adapter, bytesByPart, phases, peakBytes, reservedBytes, room, verdict, changes, teacherWays, probe } = plan;
  const row = (name: string, value: string, more = ""): string =>
    `  ${name.padEnd(14)} ${value.padStart(10)}  ${more}`.trimEnd();
  const seconds = (name: string): string => {
    const found = probe?.phases.find((phase) => phase.name === name);
    return found ? `${found.seconds.toFixed(2)} s` : "";
  };
  const lines = [
    `on ${adapter}`,
    "before the first step:",
    ...Object.entries(bytesByPart).map(([part, bytes]) => row(part, size(bytes))),
    "a step, every response as long as it may be (memory in use at most, with what is kept for reuse, operations, time):",
    ...phases.map(({ name, peakBytes: peak, reservedBytes: reserved, flops }) =>
      row(name, size(peak), `${size(reserved).padStart(10)}  ${flops.toExponential(1)}  ${seconds(name)}`),
    ),
    row("at most", size(peakBytes), size(reservedBytes).padStart(10)),
  ];
  if (room === null)
    lines.push(
      `the adapter does not say how much memory it has; ${size(freemem())} of the machine's are free. Give --memory`,
    );
  else if (verdict) lines.push(inWords[verdict](size(room)));
  for (const { settings, peakBytes: peak } of changes) {
    const then = room === null ? "no" : verdictOf(peak, room);
    lines.push(row(then === "no" ? "still not" : then, size(peak), settings.map((one) => `--set ${one}`).join(" ")));
  }
  if (teacherWays) lines.push(...waysAsText(teacherWays));
  if (probe) {
    const basis = probe.groups === 1 ? "from a step of one group" : "measured, responses as the model writes them";
    lines.push(
      `${probe.secondsPerStep.toFixed(1)} s a step (${basis}): ${steps} steps in ${formatDuration(steps * probe.secondsPerStep)}, evaluations apart`,
    );
  }
  return lines.join("\n");
}

/** Cards by their size, of which tensors may take what they may when a device is opened. */
function waysAsText(ways: readonly TeacherWay[]): string[] {
  const cells = (texts: readonly string[]): string => texts.map((text) => text.padStart(8)).join("");
  return [
    `  ${"the teacher".padEnd(14)} ${"at most".padStart(10)}${cells(CARD_SIZES.map((gib) => `${gib} GiB`))}`,
    ...ways.map(({ way, peakBytes, settings }) => {
      const verdicts = CARD_SIZES.map((gib) => verdictOf(peakBytes, cardBudget(gib * 2 ** 30)));
      const how = settings.map((one) => `--set ${one}`).join(" ");
      return `  ${way.padEnd(14)} ${size(peakBytes).padStart(10)}${cells(verdicts)}  ${how}`;
    }),
    "  cached: first iapo attribute --cache, which asks the teacher alone for calls of its own",
  ];
}
