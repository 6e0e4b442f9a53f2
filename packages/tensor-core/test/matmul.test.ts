// Every matmul kernel against a CPU emulation of the canonical order, to the bit, over random shapes, layouts, types, packings and splits.
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Device, fromBf16, openDevice, record, type Tensor, toBf16 } from "../src/index.ts";
import { K_BLOCK } from "../src/ops/matmul/canonical.ts";
import { type MatmulLayout, matmulInto } from "../src/ops/matmul/dispatch.ts";
import { linear } from "../src/ops/matmul/linear.ts";

const full = process.env.IAPO_FULL === "1";
const runs = full ? 300 : 30;

interface Product {
  readonly layout: MatmulLayout;
  readonly bf16: boolean;
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly batch: number;
  readonly bias: boolean;
  readonly accumulate: boolean;
  /** Columns of a's and out's rows before and after those that the product uses, and elements of the bias before its own. */
  readonly margin: number;
  readonly seed: number;
}

const size = (...often: number[]) => fc.oneof(fc.constantFrom(...often), fc.integer({ min: 1, max: 140 }));
const product: fc.Arbitrary<Product> = fc.record({
  layout: fc.constantFrom("nn", "nt", "tn"),
  bf16: fc.boolean(),
  m: size(1, 4, 8, 31, 64),
  n: size(1, 16, 64, 66, 128),
  k: fc.oneof(fc.constantFrom(0, 4, 32, 256, 264, 520), fc.integer({ min: 1, max: 600 })),
  batch: fc.constantFrom(1, 1, 3),
  bias: fc.boolean(),
  accumulate: fc.boolean(),
  margin: fc.constantFrom(0, 0, 3, 4),
  seed: fc.nat(),
});

/** bf16 is for nn and nt, with even rows; a batch has no column ranges. */
function legal(p: Product): Product {
  const bf16 = p.bf16 && p.layout !== "tn";
  const even = (x: number) => x + (x % 2);
  return {
    ...p,
    bf16,
    batch: p.margin > 0 ? 1 : p.batch,
    n: bf16 && p.layout === "nn" ? even(p.n) : p.n,
    k: bf16 && p.layout === "nt" ? even(p.k) : p.k,
  };
}

// The last three share kernels: the property is held hardest where they are met first.
describe.each([
  ["software family", {}, runs],
  ["workgroup family", { family: "workgroup" }, runs],
  ["default limits", { limits: "default" }, runs / 3],
  ["no subgroups", { subgroups: false }, runs / 3],
] as const)("%s", (_name, options, numRuns) => {
  let device: Device;
  let multiplyAdd: MultiplyAdd;
  beforeAll(async () => {
    device = await openDevice(options);
    multiplyAdd = await multiplyAddOf(device);
  });
  afterAll(() => device.close());

  test("every product has the bits of the canonical order", async () => {
    await fc.assert(
      fc.asyncProperty(product.map(legal), async (p) => {
        const { got, expected } = await multiply(device, p, multiplyAdd);
        expect(firstDifference(got, expected)).toBeUndefined();
      }),
      { numRuns, seed: 20 },
    );
  }, 600_000);

  test("few rows have the bits of the canonical order, whatever steps of k the kernel takes", async () => {
    const others = { layout: "nt", n: 130, batch: 1, bias: true, accumulate: false, margin: 0, seed: 3 } as const;
    for (const m of [1, 2, 3, 4, 5, 9])
      for (const k of [516, 520, 528])
        for (const bf16 of [false, true]) {
          const { got, expected } = await multiply(device, { ...others, m, k, bf16 }, multiplyAdd);
          expect(firstDifference(got, expected), `${m} rows, k ${k}, bf16 ${bf16}`).toBeUndefined();
        }
  });

  test("rows do not depend on their neighbors, columns neither", async () => {
    const [m, n, k] = [70, 200, 6000]; // b is packed in two strips
    const [a, b] = [numbers(m * k, 1), numbers(n * k, 2)];
    const whole = await run(device, a, b, m, n, k);
    for (const [row, rows] of [
      [0, 1],
      [3, 4],
      [10, 8],
      [31, 39],
    ] as const) {
      const part = await run(device, a.slice(row * k, (row + rows) * k), b, rows, n, k);
      expect(firstDifference(part, whole.slice(row * n, (row + rows) * n))).toBeUndefined();
    }
    const columns = await run(device, a, b.slice(64 * k), m, n - 64, k);
    const rest = n - 64;
    const expected = Float32Array.from(
      { length: m * rest },
      (_, i) => whole[Math.floor(i / rest) * n + 64 + (i % rest)]!,
    );
    expect(firstDifference(columns, expected)).toBeUndefined();
  });
});

describe("row-sharded weights", () => {
  let device: Device;
  beforeAll(async () => {
    device = await openDevice();
  });
  afterAll(() => device.close());

  test.each([
    ["f32", 1],
    ["f32", 40],
    ["bf16", 3],
    ["bf16", 40],
  ] as const)("%s, %i rows: outputs and gradients have the bits of the whole weight", async (dtype, rows) => {
    const [out, width] = [600, 64];
    const values = fromBf16(toBf16(numbers(out * width, 1)));
    const upload = (data: Float32Array) => (dtype === "bf16" ? toBf16(data) : data);
    const whole = device.tensor(upload(values), [out, width]);
    const rowBytes = width * (dtype === "bf16" ? 2 : 4);
    const sharded = device.emptyMatrix([out, width], dtype, 256 * rowBytes);
    expect(sharded.parts().map((p) => p.start)).toEqual([0, 256, 512]);
    for (const { start, tensor } of sharded.parts())
      tensor.write(upload(values.slice(start * width, start * width + tensor.size)));
    const x = device.tensor(numbers(rows * width, 2), [rows, width]);
    const bias = device.tensor(numbers(out, 3), [out]);
    const g = device.tensor(numbers(rows * out, 4), [rows, out]);
    const results: Float32Array[][] = [];
    for (const weight of [whole, sharded]) {
      const recorded = record([x, weight, bias], () => linear(x, weight, bias));
      const gradients = recorded.backward([[recorded.value, g]]);
      if (weight.shards) expect(gradients[1]!.shards?.map((s) => s.shape)).toEqual(weight.shards.map((s) => s.shape));
      const tensors = [recorded.value, ...gradients];
      results.push(await Promise.all(tensors.map(async (t) => (await t.values()) as Float32Array)));
      for (const t of tensors) t.dispose();
    }
    results[0]!.forEach((expected, i) => {
      expect(firstDifference(results[1]![i]!, expected), `result ${i}`).toBeUndefined();
    });
    for (const t of [whole, sharded, x, bias, g]) t.dispose();
    expect(device.memory().liveBytes).toBe(0);
  });

  test("operands that do not fit are refused by name", () => {
    const a = device.empty([4, 6]);
    const out = device.empty([4, 4]);
    const call = { layout: "nt", a, b: a, out, m: 4, n: 4, k: 6 } as const;
    expect(() => matmulInto(device, { ...call, k: 5 })).toThrow(/matmul nt m=4 n=4 k=5.*a does not fit.*\[4, 6\]/);
    expect(() => matmulInto(device, { ...call, outColumns: { column: 2, stride: 4 } })).toThrow(/out does not fit/);
    expect(() => linear(a, out)).toThrow(/linear: .*\[4, 6\].*does not fit/);
    for (const t of [a, out]) t.dispose();
  });
});

async function multiply(
  device: Device,
  p: Product,
  multiplyAdd: MultiplyAdd,
): Promise<{ got: Float32Array; expected: Float32Array }> {
  const { layout, m, n, k, batch, margin } = p;
  const aColumns = { column: margin, stride: (layout === "tn" ? m : k) + 2 * margin };
  const outColumns = { column: margin, stride: n + 2 * margin };
  const aRows = layout === "tn" ? k : m;
  const a = numbers(batch * aRows * aColumns.stride, p.seed);
  const patterns = p.bf16 ? toBf16(numbers(batch * n * k, p.seed + 1)) : undefined;
  const b = patterns ? fromBf16(patterns) : numbers(batch * n * k, p.seed + 1);
  const bias = p.bias ? numbers(margin + n, p.seed + 2) : undefined;
  const before = numbers(batch * m * outColumns.stride, p.seed + 3);
  const tensors: Tensor[] = [];
  const upload = (data: Float32Array | Uint16Array, shape: number[]) => {
    const tensor = device.tensor(data, shape);
    tensors.push(tensor);
    return tensor;
  };
  const bShape = layout === "nt" ? [batch, n, k] : [batch, k, n];
  const out = upload(before, [batch, m, outColumns.stride]);
  matmulInto(device, {
    ...{ layout, out, m, n, k, batch, accumulate: p.accumulate },
    a: upload(a, [batch, aRows, aColumns.stride]),
    b: upload(patterns ?? b, bShape),
    ...(bias ? { bias: upload(bias, [bias.length]), biasStart: margin } : {}),
    ...(margin > 0 ? { aColumns, outColumns } : {}),
  });
  const got = (await out.values()) as Float32Array;
  for (const tensor of tensors) tensor.dispose();
  const expected = before.slice();
  for (let z = 0; z < batch; z++)
    for (let i = 0; i < m; i++)
      for (let j = 0; j < n; j++) {
        const at = (z * m + i) * outColumns.stride + margin + j;
        const start = Math.fround((p.accumulate ? before[at]! : 0) + (bias ? bias[margin + j]! : 0));
        const x = (q: number) =>
          a[(z * aRows + (layout === "tn" ? q : i)) * aColumns.stride + margin + (layout === "tn" ? i : q)]!;
        const y = (q: number) => b[z * n * k + (layout === "nt" ? j * k + q : q * n + j)]!;
        expected[at] = canonicalSum(start, k, x, y, multiplyAdd);
      }
  return { got, expected };
}

async function run(device: Device, a: Float32Array, b: Float32Array, m: number, n: number, k: number) {
  const [ta, tb, out] = [device.tensor(a, [m, k]), device.tensor(b, [n, k]), device.empty([m, n])];
  matmulInto(device, { layout: "nt", a: ta, b: tb, out, m, n, k });
  const values = (await out.values()) as Float32Array;
  for (const t of [ta, tb, out]) t.dispose();
  return values;
}

type MultiplyAdd = (x: number, y: number, sum: number) => number;

/** The adapter's fma on f32 values: rounded twice, as lavapipe does it, or once (through f64, whose own rounding is too fine to matter here). */
async function multiplyAddOf(device: Device): Promise<MultiplyAdd> {
  // (1 + 2^-12)^2 - (1 + 2^-11) is 2^-24, or 0 where the product is rounded first.
  const product = await run(
    device,
    Float32Array.of(1, 1 + 2 ** -12),
    Float32Array.of(-1 - 2 ** -11, 1 + 2 ** -12),
    1,
    1,
    2,
  );
  if (product[0] === 0) return (x, y, sum) => Math.fround(sum + Math.fround(x * y));
  return (x, y, sum) => Math.fround(sum + x * y);
}

/** The canonical order in f32. */
function canonicalSum(
  start: number,
  k: number,
  x: (q: number) => number,
  y: (q: number) => number,
  multiplyAdd: MultiplyAdd,
): number {
  let total = start;
  for (let first = 0; first < k; first += K_BLOCK) {
    let sum = 0;
    for (let q = first; q < Math.min(k, first + K_BLOCK); q++) sum = multiplyAdd(x(q), y(q), sum);
    total = Math.fround(total + sum);
  }
  return total;
}

function firstDifference(got: Float32Array, expected: Float32Array): string | undefined {
  if (got.length !== expected.length) return `${got.length} values, not ${expected.length}`;
  const i = got.findIndex((value, at) => !Object.is(value, expected[at]));
  return i < 0 ? undefined : `element ${i} is ${got[i]}, not ${expected[i]}`;
}

function numbers(size: number, seed: number): Float32Array {
  let state = seed >>> 0;
  return Float32Array.from({ length: size }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  });
}
