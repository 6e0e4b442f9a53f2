// Seconds of work on the adapter, by the clock: often enough in a row that starting it does not count.
import type { Device } from "@iapo/tensor-core";

/** Of how many rounds the best is taken: others are held up by what else the machine does. */
const ROUNDS = 3;
const MOST_TIMES = 1 << 16;

/** Seconds of one `run`, of so many in a row that they take `atLeast` seconds; the best of three rounds. The first run, which compiles, is left out. */
export async function secondsOf(device: Device, run: () => void, atLeast: number): Promise<number> {
  await timed(device, run, 1);
  let times = 1;
  let total = await timed(device, run, times);
  while (total < atLeast && times < MOST_TIMES) {
    times = Math.min(MOST_TIMES, Math.max(2 * times, Math.ceil((1.2 * times * atLeast) / Math.max(total, 1e-6))));
    total = await timed(device, run, times);
  }
  let best = total;
  for (let round = 1; round < ROUNDS; round++) best = Math.min(best, await timed(device, run, times));
  return best / times;
}

async function timed(device: Device, run: () => void, times: number): Promise<number> {
  const start = performance.now();
  for (let i = 0; i < times; i++) run();
  await device.idle();
  return (performance.now() - start) / 1000;
}
