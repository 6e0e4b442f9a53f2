// Products by tensor cores. Where the adapter has none, all of the kernel but the cores themselves runs with plain arithmetic in their place, and who asks
// for them is told. Where it has them, the ops that take them go through the conformance suite.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { systemGpu } from "../src/device/host.node.ts";
import { type MatrixUnit, matrixUnitOf } from "../src/device/matrix-unit.ts";
import {
  Device,
  fromBf16,
  linear,
  matmul,
  openDevice,
  parityProbe,
  planningDevice,
  scope,
  TensorError,
  toBf16,
  typicalCard,
} from "../src/index.ts";
import { linearInt8 } from "../src/ops/index.ts";
import {
  dispatchMatrix,
  fitsMatrix,
  type MatrixVariant,
  matrixKernels,
  operandPowers,
} from "../src/ops/matmul/matrix.ts";
import { checked, type MatmulLayout } from "../src/ops/matmul/problem.ts";
import { checkCase } from "../src/testing/index.ts";
import { normal, seededRandom } from "../src/testing/random.ts";
import { plainMatrices } from "./support/plain-matrices.ts";

const amd: MatrixUnit = { m: 16, n: 16, k: 16, lanes: 32, isAskedFor: true };
const nvidia: MatrixUnit = { m: 16, n: 8, k: 16, lanes: 32, isAskedFor: false };
const full = process.env.IAPO_FULL === "1";
const kernels = matrixKernels(plainMatrices);
/** A software adapter's compiler is slow on them. */
const PATIENCE = 600_000;
const small: MatrixVariant = { kernels, unit: amd, region: { rows: 16, columns: 16, depth: 16 } };

let device: Device;
beforeAll(async () => {
  const adapter = await (await systemGpu("", false)).requestAdapter();
  device = await openDevice({ device: await adapter!.requestDevice({ requiredFeatures: ["shader-f16"] }) });
});
afterAll(() => {
  device.gpu?.destroy();
  device.close();
});

interface Product {
  readonly layout: MatmulLayout;
  readonly element: "f32" | "bf16" | "int8";
  readonly m: number;
  readonly n: number;
  readonly k: number;
}

const operand = (size: number, seed: string): Float32Array => {
  const random = seededRandom(seed);
  return Float32Array.from({ length: size }, () => normal(random));
};

/** The product by the kernel, with a bias and from the output's former contents; and in f64. */
async function both(
  { layout, element, m, n, k }: Product,
  variant: MatrixVariant,
  change: (a: Float32Array, b: Float32Array) => void = () => {},
): Promise<{ got: Float32Array; expected: Float64Array }> {
  const [a, bias, before] = [operand(m * k, "a"), operand(n, "bias"), operand(m * n, "before")];
  const group = 4;
  const scales = Float32Array.from({ length: (n * k) / group }, (_, i) => 2 ** -((i * 7) % 5));
  const bytes = Int8Array.from({ length: n * k }, (_, i) => ((i * 37) % 255) - 127);
  let b = operand(n * k, "b");
  if (element === "int8") b = Float32Array.from(bytes, (q, i) => q * scales[Math.floor(i / group)]!);
  change(a, b);
  if (element === "bf16") b = Float32Array.from(fromBf16(toBf16(b)));
  const tensors = {
    a: device.tensor(a, [a.length]),
    b:
      element === "int8"
        ? device.tensor(new Uint32Array(bytes.buffer), [(n * k) / 4])
        : device.tensor(element === "bf16" ? toBf16(b) : b, [b.length]),
    bias: device.tensor(bias, [n]),
    out: device.tensor(before, [m, n]),
    ...(element === "int8" && { scales: device.tensor(scales, [scales.length]) }),
  };
  const problem = checked({ layout, ...tensors, m, n, k, accumulate: true });
  const temporary = [...Object.values(tensors)];
  dispatchMatrix(device, problem, operandPowers(device, problem, temporary), variant);
  const got = Float32Array.from(await tensors.out.values());
  for (const tensor of temporary) tensor.dispose();
  const [aRow, aStep] = layout === "tn" ? [1, m] : [k, 1];
  const [bColumn, bStep] = layout === "nt" ? [k, 1] : [1, n];
  const expected = Float64Array.from({ length: m * n }, (_, at) => {
    const [i, j] = [Math.floor(at / n), at % n];
    let sum = before[at]! + bias[j]!;
    for (let q = 0; q < k; q++) sum += a[i * aRow + q * aStep]! * b[j * bColumn + q * bStep]!;
    return sum;
  });
  return { got, expected };
}

/** The largest difference of a row, over the row's largest value. */
function worstRow(got: Float32Array, expected: Float64Array, n: number): number {
  let worst = 0;
  for (let row = 0; row < got.length; row += n) {
    const [values, right] = [got.subarray(row, row + n), expected.subarray(row, row + n)];
    const largest = right.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
    worst = Math.max(worst, ...Array.from(values, (x, i) => Math.abs(x - right[i]!) / largest));
  }
  return worst;
}

/** Ragged in every direction, with a last block of K that is short. */
const sizes = { m: 39, n: 68, k: 276 } as const;
/** What the conformance suite allows; a single f16 in place of two halves is 20 to 100 times as far off. */
const TOLERANCE = 2e-6;

describe("all but the cores", () => {
  test.each<Product>([
    { layout: "nt", element: "bf16", ...sizes },
    { layout: "tn", element: "f32", ...sizes, m: 40, k: 275 },
    ...(full
      ? ([
          { layout: "nt", element: "f32", ...sizes },
          { layout: "nn", element: "bf16", ...sizes },
          { layout: "nn", element: "int8", ...sizes },
        ] as const)
      : []),
  ])(
    "$layout $element",
    async (product) => {
      const { got, expected } = await both(product, small);
      expect(worstRow(got, expected, product.n)).toBeLessThan(TOLERANCE);
      if (!full || product.layout !== "nt") return;
      // Matrices that are not square, in several submissions.
      const other = await both(product, { ...small, unit: nvidia, rowsAtOnce: 32 });
      expect(worstRow(other.got, expected, product.n)).toBeLessThan(TOLERANCE);
    },
    PATIENCE,
  );

  test("a split K and rows that are computed apart give the same bits", async () => {
    const product = { layout: "nt", element: "bf16", ...sizes } as const;
    const { got } = await both(product, { ...small, splits: 1 });
    expect((await both(product, { ...small, splits: 2 })).got).toEqual(got);
    const few = await both({ ...product, m: 3 }, small);
    expect(few.got).toEqual(got.slice(0, 3 * sizes.n));
  });

  test("rows of any size keep their accuracy", async () => {
    const { m, n, k } = sizes;
    const { got, expected } = await both({ layout: "nt", element: "bf16", ...sizes }, small, (a, b) => {
      for (let i = 0; i < m; i++) for (let q = 0; q < k; q++) a[i * k + q]! *= 2 ** (i - 8);
      for (let q = 0; q < 4; q++) a[20 * k + 60 * q]! *= 3000; // outliers
      for (let j = 0; j < n; j++) for (let q = 0; q < k; q++) b[j * k + q]! *= 2 ** -((j * 5) % 11);
    });
    expect(worstRow(got, expected, n)).toBeLessThan(TOLERANCE);
  });

  test("what is not finite stays in its row, and is not lost", async () => {
    const { n, k } = sizes;
    const { got, expected } = await both({ layout: "nt", element: "bf16", ...sizes }, small, (a) => {
      a[3 * k + 5] = Number.NaN;
      a[17 * k + 270] = Number.POSITIVE_INFINITY;
      a.fill(0, 20 * k, 21 * k);
    });
    const rows = (values: ArrayLike<number>): boolean[] =>
      Array.from({ length: sizes.m }, (_, i) =>
        Array.from(values)
          .slice(i * n, (i + 1) * n)
          .every(Number.isFinite),
      );
    expect(rows(got)).toEqual(rows(expected));
    expect(Array.from(got).filter(Number.isFinite).length).toBe((sizes.m - 2) * n);
  });
});

describe("which products take them", () => {
  const kernelsOf = (work: (on: Device) => void): string[] => {
    const names: string[] = [];
    using planning = planningDevice({ ...typicalCard, family: "matrix", matrices: amd });
    planning.onPlannedDispatch = ({ name }) => names.push(name);
    scope(() => work(planning));
    return names;
  };

  test("large ones; those of decoding and of adapters do not", () => {
    const product = (m: number, n: number) =>
      kernelsOf((on) => void linear(on.empty([m, 512]), on.empty([n, 512], "bf16"))).at(-1);
    expect(product(200, 512)).toBe("matmul_merge");
    expect(product(8, 512)).toMatch(/^matmul_few_rows/);
    expect(kernelsOf((on) => void linear(on.empty([200, 512]), on.empty([16, 512])))).toEqual([
      expect.stringMatching(/^matmul_panels/),
      "matmul_merge",
    ]);
    expect(kernelsOf((on) => void matmul(on.empty([4096, 4096]), on.empty([4096, 4096])))).toEqual([
      "matmul_scales/along",
      "matmul_scales/across",
      "matmul_matrix/nn/16x16x16",
      ...Array.from({ length: 1 }, () => "matmul_matrix/nn/16x16x16"),
    ]);
  });

  test("the parity probe holds them against the kernels of decoding", async () => {
    const names = new Set<string>();
    using planning = planningDevice({ ...typicalCard, family: "matrix", matrices: amd });
    planning.onPlannedDispatch = ({ name }) => names.add(name);
    await parityProbe(planning);
    for (const type of ["", "/bf16"]) {
      expect(names).toContain(`matmul_matrix/nt${type}/16x16x16`);
      expect(names).toContain(`matmul_few_rows/8${type}/16x8`);
    }
  });

  test("no other family takes any", () => {
    const product = { layout: "nt", m: 512, n: 512, k: 512, batch: 1, block: 256 } as const;
    const columns = { column: 0, stride: 512 };
    using planning = planningDevice(typicalCard);
    const b = planning.empty([512, 512]);
    const shape = { ...product, b, aColumns: columns, outColumns: columns };
    expect(fitsMatrix(planning, shape)).toBe(false);
    expect(fitsMatrix({ facts: { ...planning.facts, matrices: amd } }, shape)).toBe(true);
    b.dispose();
  });
});

describe("an adapter's matrices", () => {
  const features = new Set([
    "shader-f16",
    "subgroups",
    "chromium-experimental-subgroup-matrix",
    "subgroup-size-control",
  ]);
  const limits = { maxComputeWorkgroupStorageSize: 65536 };
  const config = (componentType: string, resultComponentType: string, M: number, N: number, K: number) =>
    ({ componentType, resultComponentType, M, N, K }) as const;
  const radv = {
    ...{ device: "", description: "radv", subgroupMinSize: 32, subgroupMaxSize: 64 },
    subgroupMatrixConfigs: [
      config("f16", "f16", 16, 16, 16),
      config("f16", "f32", 16, 16, 16),
      config("u8", "i32", 16, 16, 16),
    ],
  };

  test("the largest of f16 with sums in f32 are taken", () => {
    expect(matrixUnitOf({ features, limits }, radv)).toEqual(amd);
    const sizes = { subgroupMinSize: 32, subgroupMaxSize: 32 };
    const subgroupMatrixConfigs = [config("f16", "f32", 16, 8, 8), config("f16", "f32", 16, 8, 16)];
    expect(matrixUnitOf({ features, limits }, { ...radv, ...sizes, subgroupMatrixConfigs })).toEqual(nvidia);
  });

  test.each([
    ["no such feature", { features: new Set(["subgroups"]) }, {}, /without shader-f16, chromium-experimental-subgroup/],
    ["little workgroup memory", { limits: { maxComputeWorkgroupStorageSize: 16384 } }, {}, /16384 bytes of memory/],
    ["other types", {}, { subgroupMatrixConfigs: [config("f32", "f32", 8, 8, 8)] }, /but f32 to f32 8 x 8 x 8/],
    ["none at all", {}, { subgroupMatrixConfigs: undefined }, /but none/],
    ["no fixed subgroups", { features: new Set([...features].slice(0, 3)) }, {}, /for 0 lanes/],
  ])("%s is told", (_, of, info, message) => {
    const find = () => matrixUnitOf({ features, limits, ...of }, { ...radv, ...info });
    expect(find).toThrow(message);
    expect(find).toThrow(TensorError);
  });

  test("a device that asks for nothing has none", async () => {
    await expect(openDevice({ family: "matrix", limits: "default" })).rejects.toMatchObject({
      code: "no_tensor_cores",
    });
  });
});

/** Ops that take them, forward or backward. */
const ops = [linear, linearInt8, matmul];

test("this adapter's tensor cores pass the conformance suite, or who asks for them is told that there are none", async () => {
  const opened = await openDevice({ family: "matrix" }).catch((error: unknown) => error);
  if (!(opened instanceof Device)) {
    expect(opened).toMatchObject({ code: "no_tensor_cores", message: expect.stringMatching(/need tensor cores/) });
    return;
  }
  expect(opened.facts).toMatchObject({ family: "matrix", matrices: { lanes: expect.any(Number) } });
  for (const op of ops) for (const testCase of op.cases) await checkCase(opened, op, testCase);
  opened.close();
});
