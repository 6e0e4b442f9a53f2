// Opens a device with what the adapter can give, and never fails where a lesser device would do.

import {
  adviceForSystem,
  cardInSight,
  environmentOptions,
  listAdapters,
  namesIn,
  readNotes,
  systemGpu,
  writeNotes,
} from "#host";
import { TensorError } from "../error.ts";
import { defaultBudget } from "./budget.ts";
import { Device } from "./device.ts";
import { type AdapterFacts, type AdapterNotes, factsOf, type KernelFamily } from "./facts.ts";
import { MATRIX_FEATURES } from "./matrix-unit.ts";
import type { WebGpu } from "./webgpu.ts";

export interface DeviceOptions {
  /** Use this WebGPU device (a browser's, say) and leave it open on `close()`. */
  readonly device?: WebGpu<"GPUDevice">;
  readonly powerPreference?: "low-power" | "high-performance";
  /** `adapter` (default) asks for all the adapter has; `default` for what any browser must grant, and no optional feature. */
  readonly limits?: "adapter" | "default";
  /** False does without subgroups where the adapter has them. */
  readonly subgroups?: boolean;
  /** Overrides the kernel family that adapter facts would choose. Default `IAPO_FAMILY`. */
  readonly family?: KernelFamily;
  /**
   * Bytes that tensors and idle buffers may take. Default: `IAPO_MEMORY` GiB; else 70 % of free memory on software adapters, 85 % of what the system
   * reports for a card; where it reports nothing, no bound until the driver refuses.
   */
  readonly memoryBudget?: number;
  /** Node: part of the adapter's name; the first device of a process decides. Default `IAPO_ADAPTER`, else the fastest. */
  readonly adapter?: string;
}

const LIMITS = [
  "maxBufferSize",
  "maxStorageBufferBindingSize",
  "maxStorageBuffersPerShaderStage",
  "maxComputeInvocationsPerWorkgroup",
  "maxComputeWorkgroupSizeX",
  "maxComputeWorkgroupStorageSize",
] as const;
const FEATURES = ["subgroups", "timestamp-query"] as const;

/**
 * Opens a device. Throws `no_adapter` with advice where there is none, or none of that name; `no_tensor_cores` where the family asks for them;
 * `argument` as its options.
 */
export async function openDevice(options: DeviceOptions = {}): Promise<Device> {
  const environment = environmentOptions();
  const { device, powerPreference = "high-performance", adapter: name = environment.adapter } = options;
  const { family = environment.family } = options;
  const budget = (facts: AdapterFacts, notes?: AdapterNotes) =>
    options.memoryBudget ?? environment.memoryBudget ?? defaultBudget(facts, notes);
  if (device) {
    const facts = factsOf(device, device.adapterInfo, family);
    return new Device(device, facts, budget(facts), false);
  }
  const adapter = await requestAdapter(name, powerPreference, family === "matrix");
  const gpu = await adapter.requestDevice(
    options.limits === "default" ? {} : wanted(adapter, options.subgroups ?? true, family === "matrix"),
  );
  const found = factsOrEnd(gpu, adapter.info, family);
  const cardBeside = found.software && name === "" ? (cardInSight() ?? null) : null;
  const warnings: string[] = [];
  const notes = readNotes(found, (message) => warnings.push(message));
  const opened = new Device(gpu, { ...found, cardBeside, tuning: notes.tuning ?? {} }, budget(found, notes));
  for (const message of warnings) opened.warn(message);
  return opened;
}

/** The facts of a device that is closed again where it has not what the family needs. */
function factsOrEnd(gpu: GPUDevice, info: GPUAdapterInfo, family: KernelFamily | undefined): AdapterFacts {
  try {
    return factsOf(gpu, info, family);
  } catch (error) {
    gpu.destroy();
    throw error;
  }
}

async function requestAdapter(
  name: string,
  powerPreference: GPUPowerPreference,
  matrices: boolean,
): Promise<GPUAdapter> {
  let names: string[] = [];
  try {
    const adapter = await (await systemGpu(name, matrices))?.requestAdapter({ powerPreference });
    if (adapter) return adapter;
  } catch (error) {
    names = namesIn(error);
    if (names.length === 0) throw error;
  }
  throw new TensorError(
    "no_adapter",
    name !== "" && names.length > 0
      ? `no adapter's name contains "${name}"; there are: ${names.join(", ")}`
      : `no WebGPU adapter was found. ${adviceForSystem()}`,
  );
}

/** A device without a GPU: ops run their shape rules and allocate on paper, so a step's peak is known before it runs. */
export function planningDevice(facts: AdapterFacts, memoryBudget: number = Number.POSITIVE_INFINITY): Device {
  return new Device(undefined, facts, memoryBudget);
}

function wanted(adapter: GPUAdapter, subgroups: boolean, matrices: boolean): GPUDeviceDescriptor {
  const names = new Set<string>(matrices ? [...FEATURES, ...MATRIX_FEATURES] : FEATURES);
  const requiredFeatures = [...adapter.features]
    .map(String)
    .filter((name) => names.has(name) && (subgroups || name !== "subgroups")) as GPUFeatureName[];
  const requiredLimits: Record<string, number> = {};
  for (const name of LIMITS) requiredLimits[name] = adapter.limits[name];
  // A view that no binding can start at is copied. The smallest value that may be asked for is 32.
  requiredLimits.minStorageBufferOffsetAlignment = Math.max(32, adapter.limits.minStorageBufferOffsetAlignment);
  return { requiredFeatures, requiredLimits };
}

/** Keeps what was found out about the device's adapter for later runs, beside what is known. Returns the file. @throws the file system's error */
export function keepNotes({ facts }: Device, notes: AdapterNotes): string {
  return writeNotes(facts, notes);
}

/** Name and backend of each adapter of this system; a part of a name is what `DeviceOptions.adapter` takes. In a browser none. */
export function adapterNames(): Promise<string[]> {
  return listAdapters();
}

/** What to do on this system where no adapter answers, or only one on the CPU. */
export function adapterAdvice(): string {
  return adviceForSystem();
}
