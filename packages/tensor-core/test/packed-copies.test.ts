// Packed copies of matrices: made once while their sources stay as they are, never used for other contents, gone with what they were made for.
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Device, keepPacked, linear, openDevice, scope, type Tensor } from "../src/index.ts";

const [ROWS, INNER, OUT] = [520, 16, 560]; // of so many rows and columns that packing pays
let device: Device;
let x: Tensor;
let weight: Tensor;
beforeAll(async () => {
  device = await openDevice();
  x = device.tensor(numbers(ROWS * INNER, 1), [ROWS, INNER]);
  weight = device.tensor(numbers(OUT * INNER, 2), [OUT, INNER]);
});
afterAll(() => device.close());

test("equal operands are packed once, and give the same bits", async () => {
  const apart = await both(() => [linear(x, weight), linear(x, weight)]);
  const together = await both(() => keepPacked(device, () => [linear(x, weight), linear(x, weight)]));
  expect(together.values).toEqual(apart.values);
  expect(together.values[0]).toEqual(together.values[1]);
  const packs = device.facts.family === "software" && device.facts.subgroupSize === 8 ? 2 : 0; // of x and of the weight
  expect(apart.dispatches - together.dispatches).toBe(packs);
});

test("a write is seen, by the host, by a kernel and by a copy", async () => {
  using changing = device.tensor(numbers(OUT * INNER, 2), [OUT, INNER]);
  const other = numbers(OUT * INNER, 3);
  using source = device.tensor(other, [OUT, INNER]);
  const expected = (await both(() => [linear(x, weight), linear(x, source)])).values;
  const { values } = await both(() =>
    keepPacked(device, () => {
      const before = linear(x, changing);
      changing.write(other);
      return [before, linear(x, changing)];
    }),
  );
  expect(values).toEqual(expected);
  const copied = await both(() =>
    keepPacked(device, () => {
      device.copyBytes(weight, 0, changing, 0, weight.bytes);
      const before = linear(x, changing);
      device.copyBytes(source, 0, changing, 0, source.bytes);
      return [before, linear(x, changing)];
    }),
  );
  expect(copied.values).toEqual(expected);
});

test("a product of more strips than are kept, and of operands too large to be kept, has its operands to the end", async () => {
  for (const [rows, inner, out] of [
    [96, 4096, 1600], // 25 MiB of b in strips of 4, a of 1.5
    [2400, 1024, 70], // 9.4 MiB of a
  ] as const) {
    using a = device.tensor(numbers(rows * inner, 5), [rows, inner]);
    using b = device.tensor(numbers(out * inner, 6), [out, inner]);
    const apart = await both(() => [linear(a, b)]);
    const together = await both(() => keepPacked(device, () => [linear(a, b), linear(a, b)]));
    for (const values of together.values)
      expect(Buffer.compare(Buffer.from(values.buffer), Buffer.from(apart.values[0]!.buffer))).toBe(0);
  }
});

test("copies go with their source, and all of them at the end, an error's too", () => {
  const before = device.memory().liveBytes;
  keepPacked(device, () => {
    const own = device.tensor(numbers(ROWS * INNER, 4), [ROWS, INNER]);
    linear(own, weight).dispose();
    const held = device.memory().liveBytes;
    const freed = own.bytes;
    own.dispose();
    if (held > before + freed) expect(device.memory().liveBytes).toBeLessThanOrEqual(held - 2 * freed + 4096);
  });
  expect(device.memory().liveBytes).toBe(before);
  const fails = (): void =>
    keepPacked(device, () => {
      scope(() => void linear(x, weight));
      throw new Error("broken off");
    });
  expect(fails).toThrow("broken off");
  expect(device.memory().liveBytes).toBe(before);
  expect(() => keepPacked(device, () => Promise.resolve())).toThrow("keepPacked(fn) takes a synchronous function");
});

async function both(fn: () => readonly Tensor[]): Promise<{ values: Uint32Array[]; dispatches: number }> {
  const before = device.dispatches;
  const made = scope(fn);
  const dispatches = device.dispatches - before;
  const values = await Promise.all(made.map(async (t) => new Uint32Array((await t.values()).buffer)));
  for (const tensor of made) tensor.dispose();
  return { values, dispatches };
}

function numbers(size: number, seed: number): Float32Array {
  let state = seed;
  return Float32Array.from({ length: size }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  });
}
