// What an adapter is, reduced to what kernels and people need to know.

import { type MatrixUnit, matrixUnitOf } from "./matrix-unit.ts";

/**
 * `software`: one subgroup per workgroup, tiles in registers. `workgroup`: tiles in workgroup memory, for real GPUs. `matrix`: the same, but large
 * matrix products by tensor cores, whose sums have an order of their own; only for who asks for it.
 */
export const kernelFamilies = ["software", "workgroup", "matrix"] as const;
export type KernelFamily = (typeof kernelFamilies)[number];

/** What was found out about an adapter before. */
export interface AdapterNotes {
  /** Bytes that it really gave. */
  readonly memory?: number;
  /** The fastest of kernels that give equal bits, by product. */
  readonly tuning?: Readonly<Record<string, string>>;
}

export interface AdapterFacts {
  readonly vendor: string;
  readonly architecture: string;
  /** The card, such as "NVIDIA GeForce RTX 4060". */
  readonly device: string;
  /** On Vulkan the driver and its version. */
  readonly description: string;
  /** True for adapters that run on the CPU (llvmpipe, SwiftShader, WARP). */
  readonly software: boolean;
  /** Where a software adapter answered though the system shows a graphics card: what shows it, such as "/dev/nvidia0". */
  readonly cardBeside: string | null;
  /** Lanes of a subgroup, or 0 where subgroups are off or of unknown size. */
  readonly subgroupSize: number;
  /** The adapter's range of lanes; 0 where it does not say. */
  readonly subgroupMinSize: number;
  readonly subgroupMaxSize: number;
  readonly features: readonly string[];
  /** Bytes one storage binding may span. */
  readonly maxBinding: number;
  readonly maxBuffer: number;
  /** Alignment in bytes of a binding's offset. */
  readonly offsetAlignment: number;
  readonly maxWorkgroupsPerDimension: number;
  readonly family: KernelFamily;
  /** What tensor cores multiply at once; null but for the family `matrix`. */
  readonly matrices: MatrixUnit | null;
  /** By product: which of several kernels of equal bits is taken, where `iapo doctor --tune` has made a choice. */
  readonly tuning: Readonly<Record<string, string>>;
}

/** Some drivers report a length of 0 for bindings of 2 GiB and more, and clamp what is read of them by it (crbug 435684920). */
const LARGEST_BINDING = 2 ** 31 - 256;

/** A graphics card as they are today, for plans without one. */
export const typicalCard: AdapterFacts = {
  ...{ vendor: "", architecture: "", device: "", description: "a graphics card that binds 2 GiB at once" },
  ...{ software: false, cardBeside: null, subgroupSize: 32, subgroupMinSize: 32, subgroupMaxSize: 32 },
  ...{ features: ["subgroups", "timestamp-query"], maxBinding: LARGEST_BINDING, maxBuffer: 2 ** 32 - 256 },
  ...{ offsetAlignment: 256, maxWorkgroupsPerDimension: 65535, family: "workgroup", matrices: null, tuning: {} },
};

const SOFTWARE = /llvmpipe|lavapipe|swiftshader|softpipe|basic render|warp/i;

/** What is read of a GPUDevice. */
interface Readable {
  readonly features: Iterable<string> & { has(name: string): boolean };
  readonly limits: {
    readonly maxBufferSize: number;
    readonly maxStorageBufferBindingSize: number;
    readonly maxComputeWorkgroupStorageSize: number;
    readonly minStorageBufferOffsetAlignment: number;
    readonly maxComputeWorkgroupsPerDimension: number;
  };
}

/** What is read of a GPUAdapterInfo. */
interface Info extends Pick<AdapterFacts, "vendor" | "architecture" | "device" | "description"> {
  readonly isFallbackAdapter: boolean;
  readonly subgroupMinSize?: number | undefined;
  readonly subgroupMaxSize?: number | undefined;
  readonly subgroupMatrixConfigs?: unknown;
}

/**
 * Reads the facts off a device. `family` overrides the choice that the facts would make.
 * @throws TensorError `no_tensor_cores` where the family is `matrix` and the device has none that it can use
 */
export function factsOf(device: Readable, info: Info, family?: KernelFamily): AdapterFacts {
  const text = `${info.vendor} ${info.architecture} ${info.device} ${info.description}`;
  const software = info.isFallbackAdapter || SOFTWARE.test(text);
  const fixedSize = info.subgroupMinSize === info.subgroupMaxSize ? info.subgroupMaxSize : 0;
  const subgroupSize = device.features.has("subgroups") ? (fixedSize ?? 0) : 0;
  return {
    vendor: info.vendor,
    architecture: info.architecture,
    device: info.device,
    description: info.description,
    software,
    cardBeside: null,
    subgroupSize,
    subgroupMinSize: info.subgroupMinSize ?? 0,
    subgroupMaxSize: info.subgroupMaxSize ?? 0,
    features: [...device.features].map(String).sort(),
    maxBinding: Math.min(Math.floor(device.limits.maxStorageBufferBindingSize / 256) * 256, LARGEST_BINDING),
    maxBuffer: device.limits.maxBufferSize,
    offsetAlignment: device.limits.minStorageBufferOffsetAlignment,
    maxWorkgroupsPerDimension: device.limits.maxComputeWorkgroupsPerDimension,
    family: family ?? (software && subgroupSize > 0 ? "software" : "workgroup"),
    matrices: family === "matrix" ? matrixUnitOf(device, info) : null,
    tuning: {},
  };
}
