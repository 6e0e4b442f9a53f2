// Compiles kernels before they are timed or waited for: drivers compile at the first dispatch.
import type { Device } from "../device/device.ts";

export interface WarmUpProgress {
  readonly kernel: string;
  /** Compile and first run. */
  readonly milliseconds: number;
}

/**
 * Runs `step` once and reports each pipeline that is new to the device, with the time from the end of the work before it to the end of its
 * first dispatch: mostly the driver's compiler. Returns the same as a list.
 */
export async function warmUp(
  device: Device,
  step: () => void | Promise<void>,
  onProgress: (progress: WarmUpProgress) => void = () => {},
): Promise<WarmUpProgress[]> {
  const compiled: WarmUpProgress[] = [];
  const pending: Promise<void>[] = [];
  await device.idle();
  let last = performance.now();
  device.onNewPipeline = (kernel, done) => {
    pending.push(
      done.then(() => {
        const now = performance.now();
        const progress = { kernel, milliseconds: now - last };
        last = now;
        compiled.push(progress);
        onProgress(progress);
      }),
    );
  };
  try {
    await step();
    await Promise.all(pending);
    await device.idle();
  } finally {
    device.onNewPipeline = undefined;
  }
  return compiled;
}
