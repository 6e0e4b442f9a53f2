// One library in one process. Told by the parent which case to prepare and when to time it, so that libraries take turns.
import { pathToFileURL } from "node:url";
import { type AdapterSummary, machine, openMachine } from "./machine.ts";
import { otherThreadsCpu, type Timing, time, wholeProcessCpu } from "./measure.ts";
import type { Arrays, Benchmark, Case, KernelTime, Library, Peer, Prepared, Probe, Workload } from "./types.ts";

export type Request =
  | { do: "prepare"; case: string; expected: Probe[] }
  | { do: "time" | "profile" | "dispose"; case: string };

export interface Opened {
  versions: Readonly<Record<string, string>>;
  /** Of the worker that measures the adapter. */
  adapter?: AdapterSummary;
}

export interface Ready {
  supported: boolean;
  /** Milliseconds of the first run, compilation included. */
  cold?: number;
  /** Largest error over the probes, relative to the root mean square of each output's right values. */
  error?: number;
}

/** `ours`, `machine`, or the name of a file in peers/; then the benchmark's file. */
const [libraryName, benchmarkFile] = process.argv.slice(2) as [string, string];
const shortestTiming = 100; // milliseconds: below that, run several times in a row

const { workload, library, usesMainThread = false } = await open();
const cpuSoFar = usesMainThread ? wholeProcessCpu : otherThreadsCpu;
/** The cases that are ready, and how often in a row each is run for one timing. */
const readyCases = new Map<string, { prepared: Prepared; times: number }>();

process.on("message", async (request: Request) => {
  try {
    process.send?.({ answer: await answer(request) });
  } catch (error) {
    process.send?.({ failure: error instanceof Error ? (error.stack ?? error.message) : String(error) });
  }
});
const { versions, adapter } = library;
process.send?.({ answer: { versions, adapter } });

async function open(): Promise<{ workload: Workload; library: Library & Opened; usesMainThread?: boolean }> {
  if (libraryName === "machine") return { workload: machine, library: (await openMachine()) as unknown as Library };
  const { default: benchmark } = (await import(pathToFileURL(benchmarkFile).href)) as { default: Benchmark };
  const { workload } = benchmark;
  const own = libraryName === "ours" ? benchmark.open : benchmark.baselines?.[libraryName];
  if (own) return { workload, library: await own() };
  const { peer } = (await import(`../peers/${libraryName}.ts`)) as { peer: Peer };
  const way = peer.workloads[workload.name] as
    | ((of: Case, inputs: Arrays) => Promise<Prepared | undefined>)
    | undefined;
  const library: Library = { versions: peer.versions, prepare: async (of, inputs) => way?.(of, inputs) };
  return { workload, library, usesMainThread: peer.usesMainThread ?? false };
}

async function answer(request: Request): Promise<Ready | Timing | readonly KernelTime[] | undefined> {
  if (request.do === "prepare") return prepare(request.case, request.expected);
  const ready = readyCases.get(request.case);
  if (ready === undefined) throw new Error(`${libraryName}: ${request.do} before prepare of ${request.case}`);
  if (request.do === "time") return time(ready.prepared, ready.times, cpuSoFar);
  if (request.do === "profile") return ready.prepared.profile?.();
  ready.prepared.dispose();
  readyCases.delete(request.case);
  return undefined;
}

async function prepare(name: string, expected: Probe[]): Promise<Ready> {
  const of = workload.cases.find((candidate) => candidate.name === name);
  if (of === undefined) throw new Error(`${workload.name} has no case ${name}`);
  const prepared = await library.prepare(of, workload.inputs(of));
  if (prepared === undefined) return { supported: false };
  const { wall: cold } = await time(prepared, 1, cpuSoFar);
  const error = largestError(expected, await prepared.outputs());
  const { wall } = await time(prepared, 1, cpuSoFar);
  readyCases.set(name, { prepared, times: Math.max(1, Math.ceil(shortestTiming / wall)) });
  return { supported: true, cold, error };
}

function largestError(expected: Probe[], outputs: Arrays): number {
  const errors = expected.map(({ output, indices, values }) => {
    const got = outputs[output];
    if (got === undefined) throw new Error(`${libraryName} returns no output named ${output}`);
    const scale = Math.sqrt(values.reduce((sum, value) => sum + value * value, 0) / values.length);
    return Math.max(...indices.map((index, i) => Math.abs((got[index] as number) - (values[i] as number)))) / scale;
  });
  return errors.some(Number.isNaN) ? Number.POSITIVE_INFINITY : Math.max(...errors);
}
