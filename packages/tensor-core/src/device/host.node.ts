// What Node adds: Dawn's GPU object, a wait that does not burn a core, and the size of free memory.
import { freemem } from "node:os";
import { create } from "webgpu";

const holderKey = Symbol.for("@iapo/tensor-core/gpu");
const holder = globalThis as { [holderKey]?: GPU };

/** Dawn's GPU object. It must outlive its adapters, or the process dies when it is collected: hence the global. */
export function systemGpu(): GPU {
  holder[holderKey] ??= create([]);
  return holder[holderKey];
}

const SPIN_MS = 0.2;
const SLEEP_MS = 0.25;
const LONGEST_SLEEP_MS = 1;
/** A sleep lasts this share of the wait so far, so that a poll costs little and comes little too late. */
const SLEEP_SHARE = 1 / 32;
const cell = new Int32Array(new SharedArrayBuffer(4));
let waiting = 0;
let waitingSince = 0;
/** One chain of ticks serves all waits: a wait that begins before the last one's chain has noticed its end goes on with that chain. */
let ticking = false;

/** Dawn polls in a busy loop while a promise is pending, which takes one core from a software adapter. Sleep inside that loop. */
function tick(): void {
  ticking = waiting > 0;
  if (!ticking) return;
  const waited = performance.now() - waitingSince;
  if (waited > SPIN_MS) Atomics.wait(cell, 0, 0, Math.min(LONGEST_SLEEP_MS, Math.max(SLEEP_MS, waited * SLEEP_SHARE)));
  setImmediate(tick);
}

/** Awaits a GPU promise politely: spins for 0.2 ms, then sleeps 0.25 to 1 ms at a time. */
export async function politely<T>(promise: Promise<T>): Promise<T> {
  if (waiting++ === 0) waitingSince = performance.now();
  if (!ticking) {
    ticking = true;
    setImmediate(tick);
  }
  try {
    return await promise;
  } finally {
    waiting--;
  }
}

/** Bytes of memory that are free on this machine. */
export function freeMemory(): number {
  return freemem();
}
