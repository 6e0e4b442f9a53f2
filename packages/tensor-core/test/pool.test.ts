// The pool of buffers: what it hands out again, what it gives back, and what it says of both.
import { expect, test } from "vitest";
import { type Device, planningDevice, typicalCard } from "../src/index.ts";

const MIB = 2 ** 20;
function take(device: Device, bytes: number): { readonly id: number; readonly bytes: number } {
  using tensor = device.empty([bytes / 4]);
  const { id, bytes: held } = tensor.storage.buffer;
  return { id, bytes: held };
}

test("from 1 MiB on, the smallest idle buffer of at most twice the size serves; below, only one of the same class", () => {
  using device = planningDevice(typicalCard);
  const kept = [64, 8, 3].map((mib) => device.empty([(mib * MIB) / 4]));
  const [, eight, three] = kept.map(({ storage }) => storage.buffer);
  for (const tensor of kept) tensor.dispose();
  expect(take(device, 2 * MIB).id).toBe(three?.id);
  expect(take(device, 5 * MIB).id).toBe(eight?.id);
  const made = take(device, 20 * MIB);
  expect(kept.map(({ id }) => id)).not.toContain(made.id);
  expect(made.bytes).toBe(20 * MIB);
  const small = take(device, 512 * 1024);
  expect(take(device, 400 * 1024).id).not.toBe(small.id);
  expect(take(device, 512 * 1024).id).toBe(small.id);
});

test("of idle buffers of one size the oldest is taken, so that equal steps take equal buffers", () => {
  using device = planningDevice(typicalCard);
  const step = (): number[] => {
    const tensors = [2 * MIB, 2 * MIB, 3 * MIB, 4096, 4096].map((bytes) => device.empty([bytes / 4]));
    const ids = tensors.map(({ storage }) => storage.buffer.id);
    for (const tensor of tensors.toReversed()) tensor.dispose();
    return ids;
  };
  const first = step();
  expect(step()).toEqual(first);
  expect(step()).toEqual(first);
});

test("bytes that are reserved count what is idle too, until it is trimmed", () => {
  using device = planningDevice(typicalCard);
  using held = device.empty([MIB]);
  take(device, 16 * MIB);
  const { liveBytes, reservedBytes, peakReservedBytes, idleBytes } = device.memory();
  expect({ liveBytes, reservedBytes, peakReservedBytes, idleBytes }).toEqual({
    liveBytes: held.bytes,
    ...{ reservedBytes: 20 * MIB, peakReservedBytes: 20 * MIB, idleBytes: 16 * MIB },
  });
  device.trim();
  device.pool.resetPeak();
  expect(device.memory()).toMatchObject({ reservedBytes: 4 * MIB, peakReservedBytes: 4 * MIB, idleBytes: 0 });
});

test("requests of other sizes each time do not let the pool grow", () => {
  using device = planningDevice(typicalCard);
  let seed = 1;
  const random = (): number => {
    seed = (seed * 1103515245 + 12345) & 0x7fffffff;
    return seed / 0x7fffffff;
  };
  for (let step = 0; step < 40; step++) {
    const tensors = Array.from({ length: 12 }, () => device.empty([Math.ceil((4 + 4 * random()) * 2 ** 18)]));
    for (const tensor of tensors) tensor.dispose();
  }
  expect(device.memory().peakReservedBytes).toBeLessThan(2 * device.memory().peakBytes);
});
