// How much the card really gives: buffers of 256 MiB, each of them written, until one is refused or writing gets slow because the system swaps.
import { keepNotes } from "@iapo/tensor-core";
import type { PartContext } from "./context.ts";
import type { Found } from "./report.ts";

const MIB = 2 ** 20;
/** A card that takes more than this is not filled any further. */
const MOST = 2 ** 38;
/** Twice as slow as at first, so many times in a row, is swapping. */
const SLOW = 2;
const SLOW_WRITES = 3;
const COPY_DST = 0x8;
const STORAGE = 0x80;

export async function measureMemory({ device, deadline, isSmall }: PartContext): Promise<Found<"memory">> {
  const { gpu, pool } = device;
  if (!gpu) throw new Error("a device that is opened has a GPU");
  const size = (isSmall ? 16 : 256) * MIB;
  const most = isSmall ? 4 * size : MOST;
  const buffers: GPUBuffer[] = [];
  const times: number[] = [];
  let ended: Found<"memory">["ended"] = "enough";
  let slow = 0;
  try {
    while (buffers.length * size < most && performance.now() < deadline) {
      gpu.pushErrorScope("out-of-memory");
      gpu.pushErrorScope("validation"); // of a buffer that is none
      const buffer = gpu.createBuffer({ size, usage: STORAGE | COPY_DST });
      const start = performance.now();
      const encoder = gpu.createCommandEncoder();
      encoder.clearBuffer(buffer);
      gpu.queue.submit([encoder.finish()]);
      const [invalid, refused] = [gpu.popErrorScope(), gpu.popErrorScope()];
      await device.idle();
      if ((await refused) ?? (await invalid)) {
        ended = "refused";
        break;
      }
      buffers.push(buffer);
      times.push(performance.now() - start);
      slow = (times.at(-1) ?? 0) > SLOW * medianOf(times.slice(0, 8)) ? slow + 1 : 0;
      if (slow === SLOW_WRITES && !isSmall) {
        ended = "slower";
        break;
      }
    }
    const held = (buffers.length - (ended === "slower" ? SLOW_WRITES : 0)) * size;
    if (!isSmall && ended !== "enough") keepNotes(device, { memory: held });
    return {
      held,
      ended,
      firstWrite: medianOf(times.slice(0, 8)),
      lastWrite: medianOf(times.slice(-SLOW_WRITES)),
      budget: Number.isFinite(pool.budget) ? pool.budget : null,
    };
  } finally {
    for (const buffer of buffers) buffer.destroy();
  }
}

function medianOf(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}
