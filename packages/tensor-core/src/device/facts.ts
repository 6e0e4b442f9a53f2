// What an adapter is, reduced to what kernels and people need to know.

/** `software`: one subgroup per workgroup, tiles in registers. `workgroup`: tiles in workgroup memory, for real GPUs. */
export type KernelFamily = "software" | "workgroup";

export interface AdapterFacts {
  readonly vendor: string;
  readonly architecture: string;
  readonly description: string;
  /** True for adapters that run on the CPU (llvmpipe, SwiftShader, WARP). */
  readonly software: boolean;
  /** Lanes of a subgroup, or 0 where subgroups are off or of unknown size. */
  readonly subgroupSize: number;
  readonly features: readonly string[];
  /** Bytes one storage binding may span. */
  readonly maxBinding: number;
  readonly maxBuffer: number;
  /** Alignment in bytes of a binding's offset. */
  readonly offsetAlignment: number;
  readonly maxWorkgroupsPerDimension: number;
  readonly family: KernelFamily;
}

const SOFTWARE = /llvmpipe|lavapipe|swiftshader|softpipe|basic render|warp/i;

/** Reads the facts off a device. `family` overrides the choice that the facts would make. */
export function factsOf(device: GPUDevice, info: GPUAdapterInfo, family?: KernelFamily): AdapterFacts {
  const text = `${info.vendor} ${info.architecture} ${info.device} ${info.description}`;
  const software = SOFTWARE.test(text);
  const fixedSize = info.subgroupMinSize === info.subgroupMaxSize ? info.subgroupMaxSize : 0;
  const subgroupSize = device.features.has("subgroups") ? (fixedSize ?? 0) : 0;
  return {
    vendor: info.vendor,
    architecture: info.architecture,
    description: info.description,
    software,
    subgroupSize,
    features: [...device.features].map(String).sort(),
    maxBinding: device.limits.maxStorageBufferBindingSize,
    maxBuffer: device.limits.maxBufferSize,
    offsetAlignment: device.limits.minStorageBufferOffsetAlignment,
    maxWorkgroupsPerDimension: device.limits.maxComputeWorkgroupsPerDimension,
    family: family ?? (software && subgroupSize > 0 ? "software" : "workgroup"),
  };
}
