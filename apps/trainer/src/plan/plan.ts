// iapo plan: what a run will take of memory and time, before it runs, and what to change where it does not fit.
import { freemem } from "node:os";
import type { Job, LoadedConfig, TrainerConfig } from "@iapo/jobs";
import {
  type Change,
  changesToFit,
  type OneStep,
  oneStep,
  type Phase,
  planTeacherWays,
  type TeacherWay,
} from "@iapo/jobs";
import { formatDuration } from "@iapo/run-report";
import { type AdapterFacts, type Device, openDevice, planningDevice, typicalCard } from "@iapo/tensor-core";
import { size } from "../doctor/consequences.ts";
import { ExitCode } from "../exit-codes.ts";
import type { CliIo } from "../io.ts";

export interface PlanOptions {
  /** Bytes to fit into, in place of what the adapter may take. */
  readonly memory?: number | undefined;
  /** Make a real step for its time. */
  readonly probe: boolean;
  /** In place of this adapter, a graphics card as they are today. No step is made. */
  readonly card: boolean;
  readonly json: boolean;
}

export interface Plan {
  readonly adapter: string;
  /** Bytes; null where the adapter does not say what it has. */
  readonly room: number | null;
  readonly bytesByPart: OneStep["bytesByPart"];
  readonly phases: readonly Phase[];
  /** Most bytes in use at once: they must fit, idle ones are given back. */
  readonly peakBytes: number;
  /** Most bytes in use and idle, where there is room for them. */
  readonly reservedBytes: number;
  /** Null where the room is not known. */
  readonly fits: boolean | null;
  readonly changes: readonly Change[];
  /** Null for a run without a teacher. */
  readonly teacherWays: readonly TeacherWay[] | null;
  readonly probe: Probe | null;
}

export interface Probe {
  /** Of the step that was made. */
  readonly groups: number;
  /** Of a whole step: measured where that was what was made, else scaled by operations. */
  readonly secondsPerStep: number;
  readonly phases: readonly { readonly name: string; readonly seconds: number }[];
}

/** GiB of usual cards. */
const CARD_SIZES = [24, 48, 80];

/** A whole step is made for its time if it promises to take no longer, in seconds. */
const LONGEST_PROBE = 30;

export async function plan(
  { name, config }: LoadedConfig,
  command: Job["command"],
  options: PlanOptions,
  io: CliIo,
): Promise<number> {
  using device = await openDevice();
  const facts = options.card ? typicalCard : device.facts;
  io.note(`iapo plan ${name}: one step of iapo ${command}, on paper`);
  const planned = await onPaper(facts, config, command);
  const peakBytes = Math.max(...planned.phases.map((phase) => phase.peakBytes));
  const reservedBytes = Math.max(...planned.phases.map((phase) => phase.reservedBytes));
  const own = options.card ? Number.POSITIVE_INFINITY : device.pool.budget;
  const room = options.memory ?? (Number.isFinite(own) ? own : null);
  const fits = room === null ? null : peakBytes <= room;
  const changes = room === null || fits ? [] : await changesToFit(config, command, facts, room);
  const ways = command === "train" ? await planTeacherWays(config, facts) : null;
  const canProbe = options.probe && !options.card && peakBytes <= own;
  const probe = canProbe && !io.signal.aborted ? await probeStep(device, config, command, planned, io) : null;
  const made: Plan = {
    adapter: facts.description,
    room,
    ...planned,
    peakBytes,
    reservedBytes,
    fits,
    changes,
    teacherWays: ways,
    probe,
  };
  io.out(options.json ? JSON.stringify(made, null, 2) : asText(made, stepsOf(config, command)));
  return io.signal.aborted ? ExitCode.interrupted : ExitCode.done;
}

async function onPaper(facts: AdapterFacts, config: TrainerConfig, command: Job["command"]): Promise<OneStep> {
  using planning = planningDevice(facts);
  return await oneStep(planning, config, command, 0); // the device closes behind it
}

/** One group first; the whole step only if that promises to be short. */
async function probeStep(
  device: Device,
  config: TrainerConfig,
  command: Job["command"],
  planned: OneStep,
  io: CliIo,
): Promise<Probe> {
  io.note("a small step on the adapter, for its time");
  const small = withOneGroup(config);
  const measured = await oneStep(device, small, command, 1);
  const onPaperToo = await onPaper(device.facts, small, command);
  const flopsOf = ({ phases }: OneStep, phase: string): number => phases.find(({ name }) => name === phase)?.flops ?? 0;
  const scaled = measured.phases.map(({ name, seconds }) => {
    const [whole, part] = [flopsOf(planned, name), flopsOf(onPaperToo, name)];
    return { name, seconds: part > 0 ? (seconds * whole) / part : seconds };
  });
  const estimate = totalOf(scaled);
  const groups = command === "sft" ? (config.supervised?.batchSize ?? 1) : config.grpo.groups;
  if (estimate > LONGEST_PROBE || groups === 1 || io.signal.aborted) {
    return { groups: 1, secondsPerStep: estimate, phases: scaled };
  }
  io.note(`a whole step, about ${formatDuration(estimate)}`);
  const { phases } = await oneStep(device, config, command, 0);
  return { groups, secondsPerStep: totalOf(phases), phases: phases.map(({ name, seconds }) => ({ name, seconds })) };
}

function withOneGroup({ grpo, supervised, ...rest }: TrainerConfig): TrainerConfig {
  return { ...rest, grpo: { ...grpo, groups: 1 }, ...(supervised && { supervised: { ...supervised, batchSize: 1 } }) };
}

function totalOf(phases: readonly { readonly seconds: number }[]): number {
  return phases.reduce((sum, { seconds }) => sum + seconds, 0);
}

function stepsOf({ grpo, supervised }: TrainerConfig, command: Job["command"]): number {
  return command === "sft" ? (supervised?.steps ?? 0) : grpo.steps;
}

function asText(plan: Plan, steps: number): string {
  const { adapter, bytesByPart, phases, peakBytes, reservedBytes, room, fits, changes, teacherWays, probe } = plan;
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
  else lines.push(`${fits ? "fits" : "does not fit"} into ${size(room)}`);
  for (const { settings, peakBytes: peak } of changes) {
    const verdict = room !== null && peak <= room ? "fits" : "still not";
    lines.push(row(verdict, size(peak), settings.map((one) => `--set ${one}`).join(" ")));
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

/** A card's whole memory is never free: what just fits may not. */
function waysAsText(ways: readonly TeacherWay[]): string[] {
  const cells = (texts: readonly string[]): string => texts.map((text) => text.padStart(8)).join("");
  return [
    `  ${"the teacher".padEnd(14)} ${"at most".padStart(10)}${cells(CARD_SIZES.map((gib) => `${gib} GiB`))}`,
    ...ways.map(({ way, peakBytes, settings }) => {
      const verdicts = CARD_SIZES.map((gib) => (peakBytes <= gib * 2 ** 30 ? "fits" : "no"));
      const how = settings.map((one) => `--set ${one}`).join(" ");
      return `  ${way.padEnd(14)} ${size(peakBytes).padStart(10)}${cells(verdicts)}  ${how}`;
    }),
    "  cached: first iapo attribute --cache, which asks the teacher alone for calls of its own",
  ];
}
