// Work on many items that a device has no room for at once.
import { type Device, isOutOfMemory } from "@iapo/tensor-core";

/**
 * What `work` gives for the items, one each and in order. Where memory runs out twice, each half is worked on by itself: for work that gives an
 * item the same whatever is beside it. It may have no effect but its result.
 * @throws what `work` throws; `out_of_memory` where a single item is too large
 */
export async function inHalves<T, R>(
  device: Device,
  items: readonly T[],
  work: (some: readonly T[]) => Promise<readonly R[]>,
): Promise<readonly R[]> {
  try {
    return await device.retryOutOfMemory(() => work(items));
  } catch (error) {
    if (!isOutOfMemory(error) || items.length <= 1) throw error;
  }
  const half = Math.ceil(items.length / 2);
  const first = await inHalves(device, items.slice(0, half), work);
  return [...first, ...(await inHalves(device, items.slice(half), work))];
}
