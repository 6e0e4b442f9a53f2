// What a step took of the device's memory. Another machine, or a resume, takes other memory for the same step: these stand beside its file.
import type { Device } from "@iapo/tensor-core";
import type { Metrics } from "./rollout-metrics.ts";

const GIB = 2 ** 30;

/** GiB in use and reserved (idle buffers included), at most since this was last asked; and reserved now. */
export function memoryMetrics(device: Device): Metrics {
  const { peakBytes, reservedBytes, peakReservedBytes } = device.memory();
  device.pool.resetPeak();
  return {
    "memory/peak_gib": peakBytes / GIB,
    "memory/reserved_gib": reservedBytes / GIB,
    "memory/peak_reserved_gib": peakReservedBytes / GIB,
  };
}
