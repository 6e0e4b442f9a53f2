// Opens a device with what the adapter can give, and never fails where a lesser device would do.

import { freeMemory, systemGpu } from "#host";
import { TensorError } from "../errors.ts";
import { Device } from "./device.ts";
import { type AdapterFacts, factsOf, type KernelFamily } from "./facts.ts";

export interface DeviceOptions {
  /** Use this WebGPU device (a browser's, say) and leave it open on `close()`. */
  readonly device?: GPUDevice;
  readonly powerPreference?: GPUPowerPreference;
  /** `adapter` (default) asks for all the adapter has; `default` for what any browser must grant, and no optional feature. */
  readonly limits?: "adapter" | "default";
  /** False does without subgroups where the adapter has them. */
  readonly subgroups?: boolean;
  /** Overrides the kernel family that adapter facts would choose. */
  readonly family?: KernelFamily;
  /** Bytes that tensors and idle buffers may take. Default: 70 % of free memory on software adapters, unbounded elsewhere. */
  readonly memoryBudget?: number;
}

const LIMITS = [
  "maxBufferSize",
  "maxStorageBufferBindingSize",
  "maxStorageBuffersPerShaderStage",
  "maxComputeInvocationsPerWorkgroup",
  "maxComputeWorkgroupSizeX",
  "maxComputeWorkgroupStorageSize",
] as const;
const FEATURES: readonly GPUFeatureName[] = ["subgroups", "timestamp-query"];
const SOFTWARE_SHARE = 0.7;

/** Opens a device. Throws `no_adapter` with advice where there is none. */
export async function openDevice(options: DeviceOptions = {}): Promise<Device> {
  const budget = (facts: AdapterFacts) =>
    options.memoryBudget ?? (facts.software ? Math.floor(freeMemory() * SOFTWARE_SHARE) : Number.POSITIVE_INFINITY);
  if (options.device) {
    const facts = factsOf(options.device, options.device.adapterInfo, options.family);
    return new Device(options.device, facts, budget(facts), false);
  }
  const { powerPreference = "high-performance" } = options;
  const adapter = await systemGpu()?.requestAdapter({ powerPreference });
  if (!adapter) {
    throw new TensorError(
      "no_adapter",
      "no WebGPU adapter was found. Install a Vulkan 1.3 driver (on Debian or Ubuntu: mesa-vulkan-drivers 25 or newer), or run ./iapo, which does.",
    );
  }
  const gpu = await adapter.requestDevice(
    options.limits === "default" ? {} : wanted(adapter, options.subgroups ?? true),
  );
  const facts = factsOf(gpu, adapter.info, options.family);
  return new Device(gpu, facts, budget(facts));
}

/** A device without a GPU: ops run their shape rules and allocate on paper, so a step's peak is known before it runs. */
export function planningDevice(facts: AdapterFacts, memoryBudget: number = Number.POSITIVE_INFINITY): Device {
  return new Device(undefined, facts, memoryBudget);
}

function wanted(adapter: GPUAdapter, subgroups: boolean): GPUDeviceDescriptor {
  const requiredFeatures = FEATURES.filter((f) => adapter.features.has(f) && (subgroups || f !== "subgroups"));
  const requiredLimits: Record<string, number> = {};
  for (const name of LIMITS) requiredLimits[name] = adapter.limits[name];
  return { requiredFeatures, requiredLimits };
}
