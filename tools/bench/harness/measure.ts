// Timing: wall time, and the CPU time of all threads but the one that runs JavaScript, which is the time that a software adapter works.
import { readdirSync, readFileSync } from "node:fs";
import type { Prepared } from "./types.ts";

export interface Timing {
  /** Milliseconds of one run on the clock. */
  readonly wall: number;
  /** Milliseconds of CPU of one run, summed over the threads; undefined where /proc does not tell. */
  readonly cpu: number | undefined;
}

/** CPU milliseconds of the process's threads so far, the JavaScript main thread left out. */
export function otherThreadsCpu(): number | undefined {
  try {
    let nanoseconds = 0;
    for (const thread of readdirSync("/proc/self/task")) {
      if (Number(thread) === process.pid) continue;
      nanoseconds += Number(readFileSync(`/proc/self/task/${thread}/schedstat`, "utf8").split(" ")[0]);
    }
    return nanoseconds / 1e6;
  } catch {
    return undefined; // not Linux
  }
}

/** CPU milliseconds of the whole process: for a library that computes on the main thread too. */
export function wholeProcessCpu(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

/** Runs `prepared` `times` times in a row and waits; the mean of one run. */
export async function time(prepared: Prepared, times: number, cpuSoFar: () => number | undefined): Promise<Timing> {
  const cpuBefore = cpuSoFar();
  const start = performance.now();
  for (let i = 0; i < times; i++) await prepared.run();
  await prepared.finish();
  const wall = (performance.now() - start) / times;
  const cpuAfter = cpuSoFar();
  return { wall, cpu: cpuBefore === undefined || cpuAfter === undefined ? undefined : (cpuAfter - cpuBefore) / times };
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length / 2;
  return ((sorted[Math.floor(middle)] as number) + (sorted[Math.ceil(middle) - 1] as number)) / 2;
}

const cell = new Int32Array(new SharedArrayBuffer(4));

/**
 * Awaits a promise of Dawn without burning a core: Dawn polls in a busy loop while one is pending, so sleep inside that loop,
 * after 0.2 ms for half a millisecond at a time.
 */
export async function politely<T>(promise: Promise<T>): Promise<T> {
  const start = performance.now();
  let pending = true;
  const tick = (): void => {
    if (!pending) return;
    if (performance.now() - start > 0.2) Atomics.wait(cell, 0, 0, 0.5);
    setImmediate(tick);
  };
  setImmediate(tick);
  return promise.finally(() => {
    pending = false;
  });
}
