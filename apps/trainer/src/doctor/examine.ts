// What doctor finds out: plain data, which --json prints as it stands.
import { mkdtemp, rm } from "node:fs/promises";
import { freemem, tmpdir, totalmem } from "node:os";
import { join } from "node:path";
import {
  type AdapterFacts,
  type Device,
  type ParityReport,
  parityProbe,
  TensorError,
  type WarmUpProgress,
  warmUp,
} from "@iapo/tensor-core";
import { listAdapters, openAdapter } from "../adapter.ts";
import { consequences, type Finding } from "./consequences.ts";
import { nanoTrainingStep } from "./training-step.ts";

export interface Examination {
  readonly node: string;
  readonly platform: string;
  /** Null where no adapter answers. */
  readonly adapter: AdapterFacts | null;
  /** Name and backend of each adapter: what `--adapter` chooses from. */
  readonly adapters: readonly string[];
  /** WebGPU's names and units. */
  readonly limits: Readonly<Record<string, number>>;
  /** Bytes. `budget` is what tensors may take, null for unbounded. */
  readonly memory: { readonly total: number; readonly free: number; readonly budget: number | null };
  /** Whether kernels that must agree do so to the bit; null without an adapter. */
  readonly parity: ParityReport | null;
  readonly findings: readonly Finding[];
  /** Pipelines of a training step, with the milliseconds of compiling and running each for the first time. */
  readonly kernels?: readonly WarmUpProgress[];
}

const shownLimits = [
  "maxBufferSize",
  "maxStorageBufferBindingSize",
  "maxStorageBuffersPerShaderStage",
  "maxComputeInvocationsPerWorkgroup",
  "maxComputeWorkgroupStorageSize",
  "maxComputeWorkgroupsPerDimension",
] as const;

export async function examine({ kernels }: { kernels: boolean }): Promise<Examination> {
  const cache = kernels ? await withEmptyShaderCache() : undefined;
  try {
    let [device, reason]: [Device | undefined, string] = [undefined, ""];
    try {
      device = await openAdapter();
    } catch (error) {
      if (!(error instanceof TensorError) || error.code !== "no_adapter") throw error;
      reason = error.message;
    }
    try {
      return await describe(device, reason, kernels);
    } finally {
      device?.close();
    }
  } finally {
    if (cache) await rm(cache, { recursive: true, force: true });
  }
}

async function describe(device: Device | undefined, reason: string, kernels: boolean): Promise<Examination> {
  const budget = device && Number.isFinite(device.pool.budget) ? device.pool.budget : null;
  const memory = { total: totalmem(), free: freemem(), budget };
  const limits = device?.gpu?.limits;
  const parity = device ? await parityProbe(device) : null;
  return {
    node: process.versions.node,
    platform: `${process.platform} ${process.arch}`,
    adapter: device?.facts ?? null,
    limits: limits ? Object.fromEntries(shownLimits.map((name) => [name, limits[name]])) : {},
    memory,
    parity,
    adapters: await listAdapters(),
    findings: consequences(device?.facts ?? reason, memory, parity?.holds),
    ...(device && kernels ? { kernels: await compileTimes(device) } : {}),
  };
}

async function compileTimes(device: Device): Promise<WarmUpProgress[]> {
  return warmUp(device, nanoTrainingStep);
}

/** Mesa keeps compiled shaders between runs; a cold time needs an empty cache. Must come before the driver is loaded. */
async function withEmptyShaderCache(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "iapo-shaders-"));
  process.env.MESA_SHADER_CACHE_DIR = folder;
  return folder;
}
