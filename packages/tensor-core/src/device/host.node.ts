// What Node adds: Dawn's GPU object, the adapters it finds, a wait that does not burn a core, what the system says of memory, and its collector.
import { freemem } from "node:os";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { TensorError } from "../error.ts";
import { type KernelFamily, kernelFamilies } from "./facts.ts";
import type { WebGpu } from "./webgpu.ts";

export { readNotes, writeNotes } from "./adapter-notes.node.ts";
export { adviceForSystem, cardInSight } from "./advice.node.ts";
export { cardMemory as deviceMemory } from "./card-memory.node.ts";

/** Dawn with its own choice of features, and with those that it calls unsafe. */
const keys = {
  usual: Symbol.for("@iapo/tensor-core/gpu"),
  matrix: Symbol.for("@iapo/tensor-core/gpu-with-matrices"),
} as const;
const holder = globalThis as Partial<Record<symbol, { readonly gpu: GPU; readonly adapter: string }>>;

/** Dawn's Node binding: an optional peer, since a browser needs none. @throws TensorError `no_adapter` where it is not installed */
async function dawn(): Promise<typeof import("webgpu")> {
  try {
    return await import("webgpu");
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new TensorError(
      "no_adapter",
      `Dawn cannot be loaded; install it beside this package: npm install webgpu (${reason})`,
      {
        cause: error,
      },
    );
  }
}

/** Dawn rounds timestamps to 65.5 us, against spies in web pages; kernels of a decoding step take 5 to 30. */
const EXACT_TIMES = "disable-dawn-features=timestamp_quantization";
/** Subgroup matrices are an experiment; on NVIDIA's Vulkan f16 is one too. */
const MATRICES = "enable-dawn-features=allow_unsafe_apis,vulkan_enable_f16_on_nvidia";

/**
 * Dawn's GPU object for the adapter whose name contains `adapter`; empty: any. It must outlive its adapters, or the process dies when it is
 * collected: hence the global. Dawn takes the name once for the process. With `matrices` it offers tensor cores.
 * @throws TensorError `argument` for another name than before
 */
export async function systemGpu(adapter: string, matrices: boolean): Promise<WebGpu<"GPU">> {
  const { create } = await dawn();
  const key = matrices ? keys.matrix : keys.usual;
  const held = holder[key];
  if (held && adapter !== "" && held.adapter !== adapter) {
    throw new TensorError(
      "argument",
      `the adapter of a process is chosen once: it is ${held.adapter ? `"${held.adapter}"` : "the default one"} by now, not "${adapter}"`,
    );
  }
  if (held) return held.gpu;
  const gpu = create([EXACT_TIMES, ...(matrices ? [MATRICES] : []), ...(adapter ? [`adapter=${adapter}`] : [])]);
  holder[key] = { gpu, adapter };
  return gpu;
}

/** A part of no adapter's name: Dawn answers with the names that there are. */
const NOBODY = "no adapter has this name";
/** As `holder`: Dawn's objects must not be collected. */
const asked: GPU[] = [];

/** Backend and name of each adapter. */
export async function listAdapters(): Promise<string[]> {
  const { create } = await dawn();
  try {
    const gpu = create([`adapter=${NOBODY}`]);
    asked.push(gpu);
    await gpu.requestAdapter();
    return [];
  } catch (error) {
    return namesIn(error);
  }
}

/** Of Dawn's answer to a name that no adapter has. */
export function namesIn(error: unknown): string[] {
  const text = error instanceof Error ? error.message : String(error);
  return Array.from(
    text.matchAll(/backend: '([^']*)', name: '(.*)'$/gm),
    ([, backend, name]) => `${name} (${backend})`,
  );
}

/** What the user asks of every device. */
interface EnvironmentOptions {
  /** `IAPO_ADAPTER`: part of an adapter's name. */
  readonly adapter: string;
  /** `IAPO_FAMILY`: of kernels. */
  readonly family: KernelFamily | undefined;
  /** `IAPO_MEMORY`, in GiB: bytes for tensors. */
  readonly memoryBudget: number | undefined;
}

/** @throws TensorError `argument` for what is not understood */
export function environmentOptions(): EnvironmentOptions {
  const { IAPO_ADAPTER: adapter = "", IAPO_FAMILY: name = "", IAPO_MEMORY: memory = "" } = process.env;
  const family = kernelFamilies.find((known) => known === name);
  if (name !== "" && !family)
    throw new TensorError("argument", `IAPO_FAMILY is one of ${kernelFamilies.join(", ")}, not ${name}`);
  const gibibytes = Number(memory);
  if (memory !== "" && !(gibibytes > 0))
    throw new TensorError("argument", `IAPO_MEMORY is a number of GiB above 0, not ${memory}`);
  return { adapter, family, memoryBudget: memory === "" ? undefined : gibibytes * 2 ** 30 };
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

let collect: (() => void) | undefined;

/** Collects at once. The engine does not know how much a driver holds for its objects. */
export function collectGarbage(): void {
  if (!collect) {
    setFlagsFromString("--expose-gc"); // in contexts that are made from now on
    collect = runInNewContext("gc") as () => void;
  }
  collect();
}
