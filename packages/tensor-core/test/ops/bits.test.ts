// A row's bits depend on the row alone: not on how many rows there are, nor on where it lies.
import { afterAll, beforeAll, expect, test } from "vitest";
import {
  type Device,
  layerNorm,
  logSoftmax,
  mean,
  openDevice,
  reshape,
  rmsNorm,
  rowRange,
  scope,
  siluGate,
  softmax,
  sum,
  type Tensor,
} from "../../src/index.ts";
import { normal, seededRandom } from "../../src/testing/index.ts";

let device: Device;
beforeAll(async () => {
  device = await openDevice();
});
afterAll(() => device.close());

const ROWS = 37;
const ops: Readonly<Record<string, (x: Tensor, weight: Tensor) => Tensor>> = {
  rmsNorm: (x, weight) => rmsNorm(x, weight),
  layerNorm: (x, weight) => layerNorm(x, weight, weight),
  softmax: (x) => softmax(x),
  logSoftmax: (x) => logSoftmax(x),
  sum: (x) => sum(x, 1),
  mean: (x) => mean(x, -1),
  siluGate: (x) => siluGate(x, x),
};

test.each(Object.entries(ops).flatMap(([name, op]) => [516, 331].map((width) => ({ name, width, op }))))(
  "$name of rows of $width",
  async ({ name, width, op }) => {
    const random = seededRandom(`${name} ${width}`);
    const values = Float32Array.from({ length: ROWS * width }, () => normal(random) * 4);
    const [all, ...some] = scope(() => {
      const x = device.tensor(values, [ROWS, width]);
      const weight = device.tensor(values.subarray(0, width), [width]);
      return [op(x, weight), ...[0, 11, ROWS - 1].map((row) => op(rowRange(x, row, row + 1), weight))];
    }) as [Tensor, ...Tensor[]];
    const whole = await all.values();
    const per = whole.length / ROWS;
    for (const [k, row] of [0, 11, ROWS - 1].entries()) {
      expect(await some[k]!.values()).toEqual(whole.slice(row * per, (row + 1) * per));
    }
    for (const tensor of [all, ...some]) tensor.dispose();
  },
);

test("a column sum has the same bits among other columns, and over one long axis in two passes", async () => {
  const random = seededRandom("columns");
  const values = Float32Array.from({ length: 700 * 12 }, () => normal(random));
  const [wide, narrow] = scope(() => {
    const x = device.tensor(values, [700, 12]);
    const first = device.tensor(
      values.filter((_, i) => i % 12 < 4),
      [700, 4],
    );
    return [sum(x, 0), sum(reshape(first, [700, 2, 2]), 0)];
  }) as [Tensor, Tensor];
  expect(await narrow.values()).toEqual((await wide.values()).slice(0, 4));
  wide.dispose();
  narrow.dispose();
});
