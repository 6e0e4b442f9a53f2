// A weight in eight bits gives the bits of `linear` on the matrix that it widens to: in both families, forward and backward.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  type Device,
  type Int8Matrix,
  int8Group,
  linear,
  linearInt8,
  multiply,
  openDevice,
  planningDevice,
  record,
  scope,
  type Tensor,
  toInt8,
  typicalCard,
  widenInt8,
} from "../src/index.ts";
import { normal, seededRandom } from "../src/testing/random.ts";

const random = seededRandom("int8");
const numbers = (size: number, scale = 1): Float32Array =>
  Float32Array.from({ length: size }, () => scale * normal(random));
const bits = async (tensor: Tensor): Promise<Uint32Array> => new Uint32Array((await tensor.values()).buffer);

function int8Of(device: Device, weight: Float32Array, out: number, group: number): Int8Matrix {
  const { values, scales } = toInt8(weight, group);
  return {
    values: device.tensor(values, [out, values.length / out]),
    scales: device.tensor(scales, [out, scales.length / out]),
  };
}

describe.each(["software", "workgroup"] as const)("%s family", (family) => {
  let device: Device;
  beforeAll(async () => {
    device = await openDevice({ family });
  });
  afterAll(() => device.close());

  // One and few rows, as decoding has them; many; a group of each size; more rows than a strip or a block; widths of no whole block.
  test.each([
    { rows: 1, out: 70, width: 320, group: 64 },
    { rows: 7, out: 132, width: 96, group: 32 },
    { rows: 70, out: 300, width: 576, group: 64 },
    { rows: 20, out: 36, width: 48, group: 16 },
  ])("$rows rows of $width to $out, groups of $group", async ({ rows, out, width, group }) => {
    const matrix = int8Of(device, numbers(out * width, 0.05), out, group);
    const x = device.tensor(numbers(rows * width), [rows, width]);
    const bias = device.tensor(numbers(out), [out]);
    const wide = widenInt8(matrix, 0, out);
    const weights = device.tensor(numbers(rows * out), [rows, out]);
    const both = [(one: Tensor) => linear(one, wide, bias), (one: Tensor) => linearInt8(one, matrix, bias)].map(
      (layer) =>
        scope(() => {
          const recorded = record([x], () => scope(() => layer(x)));
          const [gradient] = recorded.backward([[recorded.value, weights]]);
          return { value: recorded.value, gradient: gradient as Tensor };
        }),
    );
    const [right, got] = await Promise.all(
      both.map(async ({ value, gradient }) => [await bits(value), await bits(gradient)]),
    );
    expect(got).toEqual(right);
    for (const tensor of [
      matrix.values,
      matrix.scales,
      x,
      bias,
      wide,
      weights,
      ...both.flatMap((one) => [one.value, one.gradient]),
    ])
      tensor.dispose();
  });

  test("a changed value or scale changes the result", async () => {
    const weight = numbers(4 * 64, 0.05);
    const matrix = int8Of(device, weight, 4, 64);
    const x = device.tensor(numbers(64), [1, 64]);
    const one = scope(() => linearInt8(x, matrix));
    const other = int8Of(
      device,
      weight.map((w, i) => (i === 200 ? -w : w)),
      4,
      64,
    );
    const two = scope(() => linearInt8(x, other));
    const three = scope(() => linearInt8(x, { values: matrix.values, scales: multiply(matrix.scales, 2) }));
    const [a, b, c] = await Promise.all([one, two, three].map(async (tensor) => [...(await tensor.values())]));
    expect(a?.map((value, i) => value === b?.[i])).toEqual([true, true, true, false]);
    expect(c).toEqual(a?.map((value) => 2 * value));
    for (const tensor of [matrix.values, matrix.scales, other.values, other.scales, x, one, two, three])
      tensor.dispose();
  });
});

test("rounding is to the nearest, at most half a scale away; zeros stay zeros; what is not finite leaves NaN", () => {
  const weight = numbers(640, 0.02);
  weight.fill(0, 0, 64);
  weight[100] = Number.POSITIVE_INFINITY;
  const { values, scales } = toInt8(weight, 64);
  const q = new Int8Array(values.buffer);
  expect(scales[0]).toBe(0);
  expect(scales[1]).toBeNaN();
  for (let i = 128; i < 640; i++) {
    const scale = scales[Math.floor(i / 64)] ?? Number.NaN;
    const largest = Math.abs(weight[i] ?? 0) / scale > 127; // the scale is rounded to bf16
    expect(Math.abs((q[i] ?? 0) * scale - (weight[i] ?? 0))).toBeLessThanOrEqual(scale * (largest ? 1 : 0.5));
    expect(Math.fround((q[i] ?? 0) * scale)).toBe((q[i] ?? 0) * scale);
  }
});

test("parts that do not fit each other are refused", () => {
  using device = planningDevice(typicalCard);
  const [values, x] = [device.empty([4, 16], "u32"), device.empty([2, 64])];
  for (const scales of [device.empty([3, 1]), device.empty([4, 3]), device.empty([4, 8])])
    expect(() => linearInt8(x, { values, scales })).toThrow(/scales.* do not fit/);
  const scales = device.empty([4, 1]);
  expect(() => linearInt8(device.empty([2, 60]), { values, scales })).toThrow(/does not fit a weight \[4, 64\]/);
  expect(() => linearInt8(x, { values: device.empty([4, 16]), scales })).toThrow(/takes u32/);
  expect(() => linearInt8(x, { values, scales }, device.empty([5]))).toThrow(/no bias/);
  expect(int8Group(60)).toBeUndefined();
});
