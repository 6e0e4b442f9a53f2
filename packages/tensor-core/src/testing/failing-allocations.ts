// Fault injection: allocations that fail, one after the other, and what that leaves behind.
import type { Device } from "../device/device.ts";
import { isOutOfMemory, TensorError } from "../error.ts";
import { expectNoLeak } from "./leak.ts";

/**
 * Runs `work` while all allocations of `device` from number `from` on (from 1) fail with `out_of_memory`, `count` of them at most, and gives how
 * many there were, failing ones included. Throws `leak` where it leaves other bytes in use than it found, and what
 * `work` throws that is not of this making.
 */
export async function withFailingAllocations(
  device: Device,
  { from, count = Number.POSITIVE_INFINITY }: { readonly from: number; readonly count?: number },
  work: () => Promise<void>,
): Promise<{ readonly allocations: number; readonly failed: boolean }> {
  const { pool } = device;
  const take = pool.take.bind(pool);
  let allocations = 0;
  let failed = false;
  pool.take = (bytes, tag) => {
    allocations++;
    if (allocations >= from && allocations < from + count)
      throw new TensorError("out_of_memory", `allocation ${allocations} was made to fail`);
    return take(bytes, tag);
  };
  try {
    await expectNoLeak(device, async () => {
      try {
        await work();
      } catch (error) {
        if (!isOutOfMemory(error)) throw error;
        failed = true;
      }
    });
  } finally {
    pool.take = take;
  }
  return { allocations, failed };
}
