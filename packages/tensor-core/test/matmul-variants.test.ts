// The kernels of real GPUs in every tile, split and unrolling that a card may get, and the tiles of software adapters from packed operands and from such
// as they lie, against the plainest kernel, to the bit.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Device, openDevice, type Tensor, toBf16 } from "../src/index.ts";
import { dispatchFewRows, type FewRowsVariant, fitsFewRows } from "../src/ops/matmul/few-rows.ts";
import {
  dispatchPanels,
  fitsPanels,
  NARROW_TILE,
  type PanelVariant,
  SQUARE_TILE,
  WIDE_TILE,
} from "../src/ops/matmul/panels.ts";
import { checked, type MatmulLayout, type Problem } from "../src/ops/matmul/problem.ts";
import { dispatchSimple } from "../src/ops/matmul/simple.ts";
import { dispatchTiled } from "../src/ops/matmul/tiled.ts";
import { normal, seededRandom } from "../src/testing/random.ts";

const full = process.env.IAPO_FULL === "1";
let card: Device;
beforeAll(async () => {
  card = await openDevice({ family: "workgroup" });
});
afterAll(() => card.close());

interface Product {
  readonly layout: MatmulLayout;
  readonly bf16?: boolean;
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly batch?: number;
}

/** Bits that differ from those of `dispatchSimple`, with a bias and from the output's former contents. */
async function differing(
  product: Product,
  compute: (problem: Problem) => void,
  device: Device = card,
): Promise<number> {
  const { layout, bf16 = false, m, n, k, batch = 1 } = product;
  const random = seededRandom(JSON.stringify(product));
  const numbers = (size: number): Float32Array => Float32Array.from({ length: size }, () => normal(random));
  const a = device.tensor(numbers(batch * m * k), [batch, m * k]);
  const weights = numbers(batch * n * k);
  const b = device.tensor(bf16 ? toBf16(weights) : weights, [batch, n * k]);
  const bias = device.tensor(numbers(n), [n]);
  const before = numbers(batch * m * n);
  const outs = [dispatchSimple, (_: Device, problem: Problem) => compute(problem)].map((dispatch): Tensor => {
    const out = device.tensor(before, [batch, m * n]);
    dispatch(device, checked({ layout, a, b, out, m, n, k, batch, bias, accumulate: true }));
    return out;
  });
  const [expected = [], got = []] = await Promise.all(
    outs.map(async (t) => new Uint32Array((await t.values()).buffer)),
  );
  for (const tensor of [a, b, bias, ...outs]) tensor.dispose();
  return Array.from(got).filter((word, i) => word !== expected[i]).length;
}

const sizes = { m: 70, n: 132, k: 520 } as const;

describe("panels", () => {
  const variants: Readonly<Record<string, readonly [Product, PanelVariant]>> = {
    "wide tile": [
      { layout: "nt", ...sizes, m: 131 },
      { tile: WIDE_TILE, splits: 1 },
    ],
    "all blocks in one workgroup": [
      { layout: "nn", ...sizes },
      { tile: SQUARE_TILE, splits: 1 },
    ],
    "rows in several submissions": [
      { layout: "nn", ...sizes, m: 150 },
      { tile: SQUARE_TILE, splits: 1, rowsAtOnce: 64 },
    ],
    "a batch, split": [{ layout: "nt", ...sizes, batch: 3 }, { splits: 3 }],
    ...(full && {
      "wide tile, bf16": [
        { layout: "nn", bf16: true, ...sizes, m: 131 },
        { tile: WIDE_TILE, splits: 1 },
      ],
      "narrow tile": [
        { layout: "nn", ...sizes, n: 20 },
        { tile: NARROW_TILE, splits: 1 },
      ],
      "wide tile, transposed": [
        { layout: "tn", ...sizes, m: 132 },
        { tile: WIDE_TILE, splits: 3 },
      ],
      "unrolled, bf16": [
        { layout: "nt", bf16: true, ...sizes },
        { tile: SQUARE_TILE, splits: 1, unrolls: true },
      ],
      "unrolled, transposed": [
        { layout: "tn", ...sizes, m: 72 },
        { tile: SQUARE_TILE, splits: 1, unrolls: true },
      ],
    }),
  };
  test.each(Object.entries(variants))(
    "%s",
    async (_name, [product, variant]) => {
      const compute = (problem: Problem): void => {
        expect(fitsPanels(problem)).toBe(true);
        dispatchPanels(card, problem, variant);
      };
      expect(await differing(product, compute)).toBe(0);
    },
    600_000,
  );
});

describe("few rows", () => {
  const variants: readonly (FewRowsVariant & { readonly m: number })[] = [
    { m: 1 },
    { m: 7 },
    ...(full ? ([1, 2, 4, 8] as const).map((rows) => ({ m: 13, rows, unrolls: rows > 2 })) : []),
  ];
  test.each(variants)(
    "$m rows, $rows at once, unrolled: $unrolls",
    async ({ m, ...variant }) => {
      const compute = (problem: Problem): void => {
        expect(fitsFewRows(problem)).toBe(true);
        dispatchFewRows(card, problem, variant);
      };
      // More blocks than lie side by side; one block; a last block that is short.
      for (const k of [2312, 40, 520]) {
        expect(await differing({ layout: "nt", bf16: m !== 4, m, n: 70, k }, compute), `k ${k}`).toBe(0);
      }
      if (m === 7) expect(await differing({ layout: "nt", m, n: 20, k: 300, batch: 2 }, compute)).toBe(0);
    },
    600_000,
  );
});

describe("tiles of software adapters", () => {
  let software: Device;
  beforeAll(async () => {
    software = await openDevice();
  });
  afterAll(() => software.close());

  test.each<Product>([
    { layout: "nt", ...sizes },
    { layout: "nt", bf16: true, ...sizes, n: 90 },
    { layout: "nn", ...sizes, n: 90 },
    { layout: "nn", bf16: true, ...sizes },
    { layout: "tn", ...sizes, m: 69 },
    { layout: "nt", m: 70, n: 45, k: 33, batch: 3 },
    { layout: "nt", m: 33, n: 200, k: 6000 }, // b is packed in two strips
  ])("%o", async (product) => {
    if (software.facts.subgroupSize !== 8) return;
    for (const packs of [true, false])
      expect(await differing(product, (problem) => dispatchTiled(software, problem, packs), software)).toBe(0);
  });

  test.each([
    { m: 70, n: 132, k: 520 },
    { m: 37, n: 90, k: 300 },
  ])("sums of columns beside a product: %o", async ({ m, n, k }) => {
    if (software.facts.subgroupSize !== 8) return;
    const random = seededRandom("columns");
    const numbers = (size: number): Float32Array => Float32Array.from({ length: size }, () => normal(random));
    const [a, b] = [software.tensor(numbers(m * k), [k, m]), software.tensor(numbers(n * k), [k, n])];
    const ones = software.tensor(new Float32Array(k).fill(1), [k, 1]);
    const [expected, out] = [software.empty([m, 1]), software.empty([m, n])];
    dispatchSimple(software, checked({ layout: "tn", a, b: ones, out: expected, m, n: 1, k }));
    for (const packs of [true, false]) {
      const aSums = software.empty([m]);
      dispatchTiled(software, checked({ layout: "tn", a, b, out, m, n, k, aSums }), packs);
      expect(await aSums.values()).toEqual(await expected.values());
      aSums.dispose();
    }
    for (const tensor of [a, b, ones, expected, out]) tensor.dispose();
  });
});
