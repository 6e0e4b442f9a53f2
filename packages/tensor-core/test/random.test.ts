// Counter-based random numbers: published test vectors, the CPU beside WGSL, and the distributions' moments.
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  type Device,
  deriveSeed,
  openDevice,
  randomBits,
  randomNormal,
  randomUniform,
  randomWords,
} from "../src/index.ts";
import { philox, uniformOf } from "../src/ops/random/philox.ts";
import { deviceKinds } from "./support/devices.ts";

const hex = (words: readonly number[]) => words.map((w) => w.toString(16).padStart(8, "0")).join(" ");

describe("Philox 4x32-10", () => {
  // Known answers of Random123 1.14 (kat_vectors).
  test.each([
    [[0, 0, 0, 0], [0, 0], "6627e8d5 e169c58d bc57ac4c 9b00dbd8"],
    [[0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff], [0xffffffff, 0xffffffff], "408f276d 41c83b0e a20bc7c6 6d5451fd"],
    [[0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344], [0xa4093822, 0x299f31d0], "d16cfe09 94fdcceb 5001e420 24126ea1"],
  ] as const)("known answer %#", (counter, key, answer) => {
    expect(hex(philox(counter, key))).toBe(answer);
  });

  test("a uniform is in [0, 1) and exact in f32", () => {
    expect(uniformOf(0)).toBe(0);
    expect(uniformOf(0xffffffff)).toBe(1 - 2 ** -24);
    fc.assert(fc.property(fc.nat(0xffffffff), (bits) => Math.fround(uniformOf(bits)) === uniformOf(bits)));
  });
});

describe("deriveSeed", () => {
  test("depends on every part, its type and its borders", () => {
    const lists = [
      [],
      [0],
      [1],
      ["1"],
      [1, 0],
      [0, 1],
      ["a", "b"],
      ["ab"],
      ["ab", ""],
      ["", "ab"],
      [2 ** 32],
      [2 ** 33 + 1],
      ["é"],
      ["a".repeat(16)],
      ["a".repeat(17)],
    ];
    const seeds = lists.map((parts) => hex(deriveSeed(...parts)));
    expect(new Set(seeds).size).toBe(lists.length);
    expect(deriveSeed(7, "rollout", 3, "task-1", 2)).toEqual(deriveSeed(7, "rollout", 3, "task-1", 2));
  });

  test("never changes: runs are resumed by it", () => {
    expect(hex(deriveSeed(42, "rollout", 3, "chart-17", 5))).toBe("b82aecd9 feb169fd");
  });

  test.each([-1, 0.5, Number.NaN, 2 ** 53])("refuses %d", (part) => {
    expect(() => deriveSeed(part)).toThrow(expect.objectContaining({ code: "argument" }));
  });
});

describe.each(deviceKinds)("random tensors on %o", (options) => {
  let device: Device;
  beforeAll(async () => {
    device = await openDevice(options);
  });
  afterAll(() => device.close());

  test.each([[[0]], [[1]], [[3, 7]], [[1000, 3]]])("bits and uniforms of shape %j are the CPU's", async (shape) => {
    const seed = deriveSeed(1, "test");
    const bits = randomBits(device, shape, seed);
    const uniform = randomUniform(device, shape, seed);
    const expected = randomWords(bits.size, seed);
    expect(await bits.values()).toEqual(expected);
    expect(await uniform.values()).toEqual(Float32Array.from(expected, uniformOf));
    bits.dispose();
    uniform.dispose();
  });

  test("normals have the moments of a normal distribution and are the CPU's within rounding", async () => {
    const size = 100_003;
    const seed = deriveSeed(1, "normal");
    const tensor = randomNormal(device, [size], seed);
    const values = (await tensor.values()) as Float32Array;
    tensor.dispose();
    const u = Float64Array.from(randomWords(size + 1, seed), uniformOf);
    let worst = 0;
    for (let i = 0; i < size; i++) {
      const radius = Math.sqrt(-2 * Math.log(1 - u[i & ~1]!));
      const angle = 2 * Math.PI * u[i | 1]!;
      worst = Math.max(worst, Math.abs(values[i]! - radius * (i % 2 === 0 ? Math.cos(angle) : Math.sin(angle))));
    }
    expect(worst).toBeLessThan(2e-3);
    const moment = (power: number) => values.reduce((sum, x) => sum + x ** power, 0) / size;
    // Five standard errors of each moment's estimate.
    const allowed = (variance: number) => 5 * Math.sqrt(variance / size);
    expect(Math.abs(moment(1))).toBeLessThan(allowed(1));
    expect(Math.abs(moment(2) - 1)).toBeLessThan(allowed(2));
    expect(Math.abs(moment(3))).toBeLessThan(allowed(15));
    expect(Math.abs(moment(4) - 3)).toBeLessThan(allowed(96));
  });
});
