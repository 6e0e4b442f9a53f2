// Compiles the kernels of a step before anyone waits for it: drivers compile at the first dispatch.
import type { Device } from "../device/device.ts";
import { planningDevice } from "../device/open.ts";
import type { Kernel } from "./kernel.ts";

export interface WarmUpProgress {
  readonly kernel: string;
  /** Compile and one empty run. */
  readonly milliseconds: number;
  readonly done: number;
  readonly total: number;
}

const BINDING_ELEMENTS = 64;

/**
 * Finds the kernels of `step` by running it on a planning device (so it makes all its tensors on the device that it is given), and compiles
 * those that are new to `device` one by one. Returns what each took; `onProgress` is called after each.
 */
export async function warmUp(
  device: Device,
  step: (planning: Device) => void | Promise<void>,
  onProgress: (progress: WarmUpProgress) => void = () => {},
): Promise<WarmUpProgress[]> {
  const kernels = new Map<string, Kernel>(); // by text
  using planning = planningDevice(device.facts);
  planning.onPlannedDispatch = (kernel) => kernels.set(kernel.wgsl, kernel);
  await step(planning);
  const fresh = [...kernels.values()].filter((kernel) => !device.hasPipeline(kernel));
  const compiled: WarmUpProgress[] = [];
  await device.idle();
  for (const kernel of fresh) {
    const start = performance.now();
    await compile(device, kernel);
    const progress = {
      kernel: kernel.name,
      milliseconds: performance.now() - start,
      done: compiled.length + 1,
      total: fresh.length,
    };
    compiled.push(progress);
    onProgress(progress);
  }
  return compiled;
}

/** One workgroup with all sizes zero: every loop is empty, and nothing is written that anyone reads. */
async function compile(device: Device, kernel: Kernel): Promise<void> {
  const buffers = (bindings: object) => Object.keys(bindings).map(() => device.empty([BINDING_ELEMENTS]));
  const reads = buffers(kernel.reads);
  const writes = buffers(kernel.writes);
  device.dispatch(kernel, { reads, writes, uniforms: Object.keys(kernel.uniforms).map(() => 0), groups: [1] });
  for (const tensor of [...reads, ...writes]) tensor.dispose();
  await device.idle();
}
