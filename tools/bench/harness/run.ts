// Runs one benchmark: every library in its own process, all of them prepared for a case, then timed in turns.
import { availableParallelism, loadavg } from "node:os";
import { type Clock, type Figures, figuresOf, type Measured, rate, reachesGoal } from "./figures.ts";
import { type AdapterSummary, machine } from "./machine.ts";
import type { Timing } from "./measure.ts";
import { Worker } from "./process.ts";
import type { Case, KernelTime, Workload } from "./types.ts";
import type { Ready } from "./worker.ts";

export interface MeasuredCase {
  readonly case: Case;
  /** Our own library first, then the peers. */
  readonly libraries: readonly Measured[];
  readonly figures: Figures;
  /** Kernels of our own library, where the row falls short of its goal. */
  readonly profile: readonly KernelTime[] | undefined;
}

export interface Load {
  readonly before: number;
  readonly after: number;
  readonly cores: number;
}

export interface Run {
  readonly adapter: AdapterSummary;
  readonly clock: Clock;
  readonly versions: Readonly<Record<string, string>>;
  readonly load: Load;
  readonly cases: readonly MeasuredCase[];
}

export interface RunOptions {
  /** The benchmark's file, and its workload. */
  readonly file: string;
  readonly workload: Workload;
  readonly baselines?: readonly string[];
  readonly peers: readonly string[];
  readonly rounds: number;
  /** Only cases whose name contains this. */
  readonly filter: string;
  /** Told what was left out, and why. */
  readonly note: (line: string) => void;
}

export async function run(options: RunOptions): Promise<Run> {
  const before = loadavg()[0] as number;
  const workers: Worker[] = [];
  try {
    const start = async (name: string): Promise<Worker> => {
      const worker = await Worker.start(name, options.file);
      workers.push(worker);
      return worker;
    };
    const limits = await start("machine");
    const adapter = limits.opened.adapter as AdapterSummary;
    for (const limit of machine.cases) {
      const { error = Number.POSITIVE_INFINITY } = await limits.prepare(limit.name, machine.expected(limit));
      if (error > limit.tolerance)
        throw new Error(`the adapter computes "${limit.name}" wrongly (relative error ${error})`);
    }
    const libraries = [await start("ours")];
    for (const peer of [...(options.baselines ?? []), ...options.peers]) {
      const worker = await start(peer).catch((error: Error) => options.note(`${peer} is left out: ${error.message}`));
      if (worker) libraries.push(worker);
    }
    const clock = adapter.software ? "cpu" : "wall";
    const cases: MeasuredCase[] = [];
    for (const of of options.workload.cases.filter(({ name }) => name.includes(options.filter))) {
      cases.push(await measureCase(of, { ...options, limits, libraries, clock }));
    }
    const versions = Object.assign({}, ...workers.map((worker) => worker.opened.versions));
    return {
      adapter,
      clock,
      versions,
      load: { before, after: loadavg()[0] as number, cores: availableParallelism() },
      cases,
    };
  } finally {
    for (const worker of workers) worker.stop();
  }
}

interface Started extends RunOptions {
  readonly limits: Worker;
  readonly libraries: readonly Worker[];
  readonly clock: Clock;
}

async function measureCase(
  of: Case,
  { workload, limits, libraries, clock, rounds, note }: Started,
): Promise<MeasuredCase> {
  const expected = workload.expected(of);
  const states: { worker: Worker; ready: Ready; timings: Timing[] }[] = [];
  for (const worker of libraries) {
    const ready = await worker.prepare(of.name, expected).catch((error: Error): Ready => {
      note(`${of.name}: ${error.message}`);
      return { supported: false };
    });
    states.push({ worker, ready, timings: [] });
  }
  const bounds = machine.cases
    .filter(({ bound }) => bound === of.bound)
    .map((bound) => ({ bound, timings: [] as Timing[] }));
  for (let round = 0; round < rounds; round++) {
    for (const { bound, timings } of bounds) timings.push(await limits.time(bound.name));
    for (let turn = 0; turn < states.length; turn++) {
      const { worker, ready, timings } = states[(turn + round) % states.length] as (typeof states)[0];
      if (ready.supported) timings.push(await worker.time(of.name));
    }
  }
  const limit =
    bounds.length > 0 ? Math.max(...bounds.map(({ bound, timings }) => rate(bound, timings, clock))) : undefined;
  const measured = states.map(({ worker, ready, timings }) => ({ name: worker.name, timings, ...ready }));
  const figures = figuresOf(of, measured, limit, clock);
  const [ours] = states as [(typeof states)[0]];
  const fallsShort = ours.ready.supported && !reachesGoal(of, figures);
  const profile = fallsShort ? await ours.worker.profile(of.name) : undefined;
  for (const { worker, ready } of states) if (ready.supported) await worker.dispose(of.name);
  return { case: of, libraries: measured, figures, profile };
}
