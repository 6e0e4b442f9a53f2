// Sums over rows have the order that they are documented to have: a linear layer's canonical one, and a norm's.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Device, linear, openDevice, record, type Tensor } from "../src/index.ts";
import { matmulInto } from "../src/ops/matmul/dispatch.ts";
import { normWeightGradient } from "../src/ops/norm-weight.ts";
import { normal, seededRandom } from "../src/testing/random.ts";
import { deviceKinds } from "./support/devices.ts";

const random = seededRandom("column sums");
const numbers = (size: number): Float32Array<ArrayBuffer> => Float32Array.from({ length: size }, () => normal(random));
const bits = async (tensor: Tensor): Promise<Uint32Array> => new Uint32Array((await tensor.values()).slice().buffer);

describe.each(deviceKinds)("on %o", (kind) => {
  let device: Device;
  beforeAll(async () => {
    device = await openDevice(kind);
  });
  afterAll(() => device.close());

  test.each([
    [1, 4],
    [255, 7],
    [256, 48],
    [257, 12],
    [4097, 20],
    [66_000, 3],
  ])("the gradient of a bias, %d rows of %d, is that of a product with ones", async (rows, columns) => {
    using g = device.tensor(numbers(rows * columns), [rows, columns]);
    using ones = device.tensor(new Float32Array(rows).fill(1), [rows, 1]);
    using expected = device.empty([columns]);
    matmulInto(device, { layout: "tn", a: ones, b: g, out: expected, m: 1, n: columns, k: rows });
    using x = device.tensor(numbers(rows * 2), [rows, 2]);
    using weight = device.tensor(numbers(columns * 2), [columns, 2]);
    using bias = device.tensor(numbers(columns), [columns]);
    const recorded = record([bias], () => linear(x, weight, bias));
    const [gradient] = recorded.backward([[recorded.value, g]]);
    expect(await bits(gradient!)).toEqual(await bits(expected));
    for (const tensor of [gradient, recorded.value]) tensor?.dispose();
  });

  test.each([
    [0, 8],
    [63, 8],
    [65, 5],
    [1025, 12],
    [16_385, 4],
    [40_000, 3],
  ])("that of a norm's weight, %d rows of %d: blocks of 64 rows, 256 blocks at a time", async (rows, columns) => {
    const values = numbers(rows * columns);
    using g = device.tensor(values, [rows, columns]);
    using x = device.tensor(new Float32Array(rows * columns).fill(1), [rows, columns]);
    using stats = device.tensor(
      Float32Array.from({ length: rows * 2 }, (_, i) => i % 2),
      [rows, 2],
    ); // mean 0, scale 1
    using sums = normWeightGradient(g, x, stats, undefined);
    const expected = Float32Array.from({ length: columns }, (_, column) => {
      const chain = (size: number, terms: readonly number[]): number[] =>
        Array.from({ length: Math.ceil(terms.length / size) }, (_, i) =>
          terms.slice(i * size, (i + 1) * size).reduce((sum, term) => Math.fround(sum + term), 0),
        );
      const terms = Array.from({ length: rows }, (_, row) => values[row * columns + column]!);
      const chains = chain(256, chain(64, terms));
      return chains.reduce((sum, term) => Math.fround(sum + term), 0);
    });
    expect(await bits(sums)).toEqual(new Uint32Array(expected.buffer));
  });
});
