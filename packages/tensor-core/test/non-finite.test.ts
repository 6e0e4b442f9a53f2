// NaN and infinity go through every op that doesn't say otherwise, in both kernel families.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { sizeOf } from "../src/dtype.ts";
import {
  attention,
  type Device,
  grad,
  logProbs,
  logSoftmax,
  multiply,
  type OpCase,
  openDevice,
  rowSegment,
  Segments,
  scope,
  softmax,
  sum,
  type Tensor,
} from "../src/index.ts";
import { registry } from "../src/ops/registry.ts";
import { checkNonFinite, normal, seededRandom } from "../src/testing/index.ts";

const isSmall = ({ inputs, full = false }: OpCase<unknown>): boolean =>
  !full && inputs.reduce((sum, { shape }) => sum + sizeOf(shape), 0) < 5000;

describe.each(["software", "workgroup"] as const)("%s family", (family) => {
  let device: Device;
  beforeAll(async () => {
    device = await openDevice({ family });
  });
  afterAll(() => device.close());

  test.each(registry.map((op) => [op.opName, op] as const))("%s", async (_name, op) => {
    for (const testCase of op.cases.filter(isSmall)) await checkNonFinite(device, op, testCase);
  });

  const columns = 8;
  /** Rows of [n, columns] that hold a NaN. */
  const poisonedRows = async (tensor: Tensor): Promise<number[]> => {
    const values = await tensor.values();
    tensor.dispose();
    const poisoned = [...values.keys()].filter((i) => Number.isNaN(values[i]));
    return [...new Set(poisoned.map((i) => Math.floor(i / columns)))];
  };
  /** Normal numbers [rows, columns], one of them NaN in row `poisoned`. */
  const matrix = (rows: number, poisoned?: number): Tensor => {
    const random = seededRandom(`${rows}`);
    const values = Float32Array.from({ length: rows * columns }, () => normal(random));
    if (poisoned !== undefined) values[poisoned * columns + 2] = Number.NaN;
    return device.tensor(values, [rows, columns]);
  };
  const gradientsOf = (fn: () => Tensor, wrt: readonly Tensor[]) => grad(fn, wrt).gradients;

  test.each(["softmax", "logSoftmax"] as const)(
    "%s: the gradient of a row with NaN is NaN, the others' is not",
    async (name) => {
      const op = { softmax, logSoftmax }[name];
      const [gradient] = scope(() => {
        const [x, g] = [matrix(5, 3), matrix(5)];
        return gradientsOf(() => sum(multiply(op(x), g)), [x]);
      });
      expect(await poisonedRows(gradient!)).toEqual([3]);
    },
  );

  test("attention: a query with NaN has a gradient of NaN, and gives one to the keys and values that it sees", async () => {
    const shape = { heads: 1, kvHeads: 1, headDim: columns, scale: 0.3 };
    const gradients = scope(() => {
      const [q, k, v] = [matrix(6, 2), matrix(6), matrix(6)];
      const segments = Segments.of(device, [rowSegment(0, 6)]);
      return gradientsOf(() => sum(attention(q, k, v, segments, shape)), [q, k, v]);
    });
    const [ofQuery, ofKeys, ofValues] = await Promise.all(gradients.map(poisonedRows));
    expect(ofQuery).toEqual([2]);
    expect(ofKeys).toEqual(expect.arrayContaining([0, 1, 2])); // and, as the query is what is summed, its tile
    expect(ofValues).toEqual([0, 1, 2]);
  });

  test("logProbs: a row with NaN has a gradient of NaN, and gives one to every weight", async () => {
    const gradients = scope(() => {
      const [hidden, weight] = [matrix(4, 1), matrix(7)];
      const pairs = { rows: [0, 1, 3], targets: [2, 0, 6] };
      return gradientsOf(() => sum(logProbs(hidden, weight, pairs).logProb), [hidden, weight]);
    });
    expect(await Promise.all(gradients.map(poisonedRows))).toEqual([[1], [0, 1, 2, 3, 4, 5, 6]]);
  });
});
