// One step of a configuration's own code: on a device that counts, for its memory and operations; on a real one, for its time.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { distillationSchema } from "@iapo/iapo/config";
import { QwenVLPolicy } from "@iapo/qwen-vl-model";
import type { Environment } from "@iapo/rollout-trace";
import type { Device, MemoryReport } from "@iapo/tensor-core";
import type { JobConfig } from "../config/schema.ts";
import type { JobParts, JobSpec } from "../job/spec.ts";
import { specOf } from "../open-job.ts";
import { episodesOf } from "../parts/environment.ts";
import { programFor } from "../parts/example-program.ts";

export interface Phase {
  readonly name: string;
  /** Most GPU bytes in use at once. */
  readonly peakBytes: number;
  /** Most bytes held at once, in use and idle, where no budget makes the pool give any back. */
  readonly reservedBytes: number;
  /** Multiply-adds count as two. */
  readonly flops: number;
  readonly seconds: number;
}

export interface OneStep {
  /** Bytes by part once the models stand ready. */
  readonly bytesByPart: MemoryReport["byTag"];
  readonly phases: readonly Phase[];
}

export interface OneStepOptions {
  /** Steps that are made before the one that is looked at: the first compiles. Default 0. */
  readonly warmUp?: 0 | 1;
  readonly signal?: AbortSignal | undefined;
}

/**
 * A device that counts gives responses without meaning, all of them as long as they may be; there, every first turn is followed by a tool's
 * picture and a second turn, so that nothing a real step needs is left out. Nothing is written, and no endpoint is asked.
 * @throws the reason of the signal; what the job's parts throw
 */
export async function oneStep(
  device: Device,
  config: JobConfig,
  kind: JobSpec["kind"],
  { warmUp = 0, signal = new AbortController().signal }: OneStepOptions = {},
): Promise<OneStep> {
  const local = withoutEndpoints(config, device.gpu === undefined);
  const job = specOf(kind, local);
  const directory = await mkdtemp(join(tmpdir(), "iapo-plan-"));
  try {
    const policy = await QwenVLPolicy.load(device, local.model, { seed: job.seed, signal });
    try {
      return await stepOf(policy, local, job, { directory, warmUp, signal });
    } finally {
      policy.model.dispose();
    }
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

async function stepOf(
  policy: QwenVLPolicy,
  config: JobConfig,
  job: JobSpec,
  {
    directory,
    warmUp,
    signal,
  }: Required<OneStepOptions> & { readonly directory: string; readonly signal: AbortSignal },
): Promise<OneStep> {
  const { device } = policy;
  const isPlan = device.gpu === undefined;
  const clock = new PhaseClock(device);
  const { environment, openTasks } = await episodesOf(config);
  const parts: JobParts = {
    ...{ directory, device, policy, parity: true },
    tasks: await openTasks({ signal }),
    environment: isPlan && job.kind === "train" ? alwaysCalling(environment) : environment,
    signal,
    onPhase: (name) => clock.turnTo(name),
    onWarning: () => {},
  };
  const { recipe } = await job.build(parts);
  await using _ = recipe;
  await device.idle();
  const bytesByPart = device.memory().byTag;
  const step = config.iapo?.coldStartSteps ?? 0; // a step in which the teacher has its say
  for (let i = 0; i < warmUp; i++) await recipe.step({ step, cursor: 0, signal });
  await recipe.step({ step, cursor: 0, signal, onPhase: (name) => clock.begin(name) });
  await device.idle();
  return { bytesByPart, phases: clock.end() };
}

const onePass = distillationSchema.parse({ kind: "sequence" });

/**
 * The user's own tools and functions are left out: a plan may be of a stranger's run. What an own penalty asks a teacher is taken for one pass over
 * the calls. Verdicts cost no GPU memory; a run's cache of calls is not for a plan to fill. On paper no program is written: all of a turn is explained.
 */
function withoutEndpoints(config: JobConfig, isPlan: boolean): JobConfig {
  const { judge: _, baseline: __, verifier: ___, ...rest } = config;
  const { environment, teacher, iapo, grpo } = rest;
  const distillation = teacher && grpo.functions.penalty !== undefined ? onePass : rest.distillation;
  const scoring = environment.scoring.scoring === "judge" ? "relaxed" : environment.scoring.scoring;
  return {
    ...rest,
    environment: {
      ...environment,
      scoring: { ...environment.scoring, scoring },
      tools: { ...environment.tools, module: undefined },
    },
    grpo: { ...grpo, functions: {} },
    ...(teacher && { teacher: { ...teacher, cache: undefined } }),
    ...(iapo && isPlan && { iapo: { ...iapo, target: "turn1" } }),
    ...(distillation && {
      distillation: distillation.kind === "sequence" && isPlan ? { ...distillation, target: "turn1" } : distillation,
    }),
  };
}

/** Reads every first turn as if it were a program for its task. The tool itself runs. */
function alwaysCalling(environment: Environment): Environment {
  return {
    ...environment,
    step: (task, turn, earlier = []) =>
      environment.step(task, earlier.length === 0 ? { text: programFor(task) ?? turn.text } : turn, earlier),
  };
}

class PhaseClock {
  readonly #device: Device;
  readonly #phases = new Map<string, Phase>();
  #current: { readonly name: string; readonly flops: number; readonly began: number } | undefined;

  constructor(device: Device) {
    this.#device = device;
  }

  /** Within a step; else it is none of its phases. */
  turnTo(name: string): void {
    if (this.#current) this.begin(name);
  }

  begin(name: string): void {
    this.#finish();
    this.#device.pool.resetPeak();
    this.#current = { name, flops: this.#device.flops, began: performance.now() };
  }

  end(): Phase[] {
    this.#finish();
    return [...this.#phases.values()];
  }

  /** A phase that comes again is added to. */
  #finish(): void {
    if (!this.#current) return;
    const { name, flops, began } = this.#current;
    const before = this.#phases.get(name);
    const { peakBytes, peakReservedBytes } = this.#device.memory();
    this.#phases.set(name, {
      name,
      peakBytes: Math.max(before?.peakBytes ?? 0, peakBytes),
      reservedBytes: Math.max(before?.reservedBytes ?? 0, peakReservedBytes),
      flops: (before?.flops ?? 0) + this.#device.flops - flops,
      seconds: (before?.seconds ?? 0) + (performance.now() - began) / 1000,
    });
    this.#current = undefined;
  }
}
