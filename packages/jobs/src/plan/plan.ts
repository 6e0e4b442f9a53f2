// What a run will take of memory and time, before it runs, and what to change where it does not fit.
import { type AdapterFacts, type Device, planningDevice, typicalCard } from "@iapo/tensor-core";
import type { JobConfig } from "../config/schema.ts";
import type { Job } from "../open-job.ts";
import { requireTrust } from "../parts/user-modules.ts";
import { type Change, changesToFit } from "./changes.ts";
import { type OneStep, oneStep, type Phase } from "./one-step.ts";
import { planTeacherWays, type TeacherWay } from "./teacher-ways.ts";
import { type Verdict, verdictOf } from "./verdict.ts";

export interface PlanOptions {
  readonly device: Device;
  /** Bytes to fit into, in place of what the adapter may take. */
  readonly memory?: number | undefined;
  /** Make a real step for its time; default false. */
  readonly probe?: boolean | undefined;
  /** In place of the device's adapter, a graphics card as they are today. No step is made. */
  readonly card?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
  /** A real step of so many groups begins; its seconds where they are estimated. */
  readonly onProbe?: ((groups: number, seconds: number | undefined) => void) | undefined;
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
  readonly verdict: Verdict | null;
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

/** A whole step is made for its time if it promises to take no longer, in seconds. */
const LONGEST_PROBE = 30;

/**
 * Of a model, its configuration and tokenizer are read only. Of the user's own modules, an environment is loaded only.
 * @throws the reason of the signal; what the parts of the job throw
 */
export async function planJob(job: Job, options: PlanOptions): Promise<Plan> {
  const { config, kind } = job;
  const { device, signal } = options;
  const { module } = config.environment;
  requireTrust({ name: job.name, untrusted: job.untrusted.filter((path) => path === module) });
  const facts = options.card ? typicalCard : device.facts;
  const planned = await onPaper(facts, config, kind, signal);
  const peakBytes = Math.max(...planned.phases.map((phase) => phase.peakBytes));
  const reservedBytes = Math.max(...planned.phases.map((phase) => phase.reservedBytes));
  const own = options.card ? Number.POSITIVE_INFINITY : device.pool.budget;
  const room = options.memory ?? (Number.isFinite(own) ? own : null);
  const verdict = room === null ? null : verdictOf(peakBytes, room);
  const changes = room === null || verdict === "fits" ? [] : await changesToFit(config, kind, facts, room, signal);
  const teacherWays = kind === "train" ? await planTeacherWays(config, facts, signal) : null;
  const canProbe = options.probe && !options.card && peakBytes <= own;
  const probe = canProbe ? await probeStep(config, kind, planned, options) : null;
  return {
    adapter: facts.description,
    room,
    ...planned,
    peakBytes,
    reservedBytes,
    verdict,
    changes,
    teacherWays,
    probe,
  };
}

async function onPaper(
  facts: AdapterFacts,
  config: JobConfig,
  kind: Job["kind"],
  signal: AbortSignal | undefined,
): Promise<OneStep> {
  using planning = planningDevice(facts);
  return await oneStep(planning, config, kind, { signal }); // the device closes behind it
}

/** One group first; the whole step only if that promises to be short. */
async function probeStep(
  config: JobConfig,
  kind: Job["kind"],
  planned: OneStep,
  { device, signal, onProbe }: PlanOptions,
): Promise<Probe> {
  onProbe?.(1, undefined);
  const small = withOneGroup(config);
  const measured = await oneStep(device, small, kind, { warmUp: 1, signal });
  const onPaperToo = await onPaper(device.facts, small, kind, signal);
  const flopsOf = ({ phases }: OneStep, phase: string): number => phases.find(({ name }) => name === phase)?.flops ?? 0;
  const scaled = measured.phases.map(({ name, seconds }) => {
    const [whole, part] = [flopsOf(planned, name), flopsOf(onPaperToo, name)];
    return { name, seconds: part > 0 ? (seconds * whole) / part : seconds };
  });
  const estimate = totalOf(scaled);
  const groups = kind === "sft" ? (config.supervised?.batchSize ?? 1) : config.grpo.groups;
  if (estimate > LONGEST_PROBE || groups === 1) return { groups: 1, secondsPerStep: estimate, phases: scaled };
  onProbe?.(groups, estimate);
  const { phases } = await oneStep(device, config, kind, { signal });
  return { groups, secondsPerStep: totalOf(phases), phases: phases.map(({ name, seconds }) => ({ name, seconds })) };
}

function withOneGroup({ grpo, supervised, ...rest }: JobConfig): JobConfig {
  return { ...rest, grpo: { ...grpo, groups: 1 }, ...(supervised && { supervised: { ...supervised, batchSize: 1 } }) };
}

function totalOf(phases: readonly { readonly seconds: number }[]): number {
  return phases.reduce((sum, { seconds }) => sum + seconds, 0);
}
