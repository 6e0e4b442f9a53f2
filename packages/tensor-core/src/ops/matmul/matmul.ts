// The public matrix product, single and batched.
import { element, matrixShape, rowsOf } from "../../checked.ts";
import type { Tensor } from "../../tensor.ts";
import { defineOp, expectDType, type OpCase, type ReferenceArray, shapeError } from "../define.ts";
import { type MatmulLayout, matmulInto } from "./dispatch.ts";

export interface MatmulOptions {
  /** a is stored [k, m]. */
  readonly transposeA?: boolean;
  /** b is stored [n, k]. Not together with `transposeA`. */
  readonly transposeB?: boolean;
}

interface Params {
  readonly layout: MatmulLayout;
}

interface Sizes {
  readonly batch: number;
  readonly m: number;
  readonly n: number;
  readonly k: number;
}

function sizes(a: { shape: readonly number[] }, b: { shape: readonly number[] }, layout: MatmulLayout): Sizes {
  const what = `${layout} of [${a.shape}] and [${b.shape}]`;
  const rank = a.shape.length;
  if ((rank !== 2 && rank !== 3) || b.shape.length !== rank) shapeError("matmul", `${what}: both are 2-D or both 3-D`);
  const [aRows, aColumns] = matrixShape({ shape: a.shape.slice(-2) });
  const [bRows, bColumns] = matrixShape({ shape: b.shape.slice(-2) });
  const batch = rank === 3 ? rowsOf(a) : 1;
  if (rank === 3 && rowsOf(b) !== batch) shapeError("matmul", `${what}: batches differ`);
  const [m, k] = layout === "tn" ? [aColumns, aRows] : [aRows, aColumns];
  const [n, inner] = layout === "nt" ? [bRows, bColumns] : [bColumns, bRows];
  if (inner !== k) shapeError("matmul", `${what}: ${k} and ${inner} are to be summed over and differ`);
  return { batch, m, n, k };
}

/** Matrix `i` of a pair of gradients: which product of cotangent and inputs each is, by layout of the forward. */
const gradientOf = {
  nn: { a: ["nt", "g", "b"], b: ["tn", "a", "g"] },
  nt: { a: ["nn", "g", "b"], b: ["tn", "g", "a"] },
  tn: { a: ["nt", "b", "g"], b: ["nn", "a", "g"] },
} as const;

/**
 * `a b` for a [m, k] and b [k, n], or of each pair of a batch: [z, m, k] and [z, k, n]. a is f32; b is f32, or bf16 unless `transposeA`.
 * Sums run in the canonical order (docs/decisions/0002): equal bits for equal rows and columns, whatever the other sizes are.
 * Throws `shape`, `dtype`, and `argument` where both are transposed.
 */
export const matmul = defineOp({
  name: "matmul",
  summary: "matrix product, 2-D or batched; either operand stored transposed; b f32 or bf16",
  call: (a: Tensor, b: Tensor, { transposeA = false, transposeB = false }: MatmulOptions = {}) => {
    if (transposeA && transposeB) shapeError("matmul", "transposeA and transposeB exclude each other: swap a and b");
    const layout: MatmulLayout = transposeA ? "tn" : transposeB ? "nt" : "nn";
    return { inputs: [a, b], params: { layout } };
  },
  infer: ([a, b], { layout }: Params) => {
    expectDType("matmul", a, "f32");
    if (layout === "tn") expectDType("matmul with transposeA", b, "f32");
    else expectDType("matmul", b, "f32", "bf16");
    const { batch, m, n } = sizes(a, b, layout);
    return [{ shape: a.shape.length === 3 ? [batch, m, n] : [m, n] }];
  },
  run: (device, [a, b], [out], { layout }) => {
    matmulInto(device, { layout, a: a, b: b, out: out, ...sizes(a, b, layout) });
  },
  vjp: ({ inputs: [a, b], cotangents: [g], params: { layout }, needs }) => {
    const operands = { a, b, g };
    const gradient = (name: "a" | "b"): Tensor => {
      const [product, left, right] = gradientOf[layout][name];
      const out = a.device.empty(operands[name].shape);
      const call = { layout: product, a: operands[left], b: operands[right] };
      matmulInto(a.device, { ...call, out, ...sizes(call.a, call.b, product) });
      return out;
    };
    return [needs[0] ? gradient("a") : undefined, needs[1] ? gradient("b") : undefined];
  },
  reference: ([a, b], { layout }) => {
    const { batch, m, n, k } = sizes(a, b, layout);
    const data = new Float64Array(batch * m * n);
    const [aRow, aStep] = layout === "tn" ? [1, m] : [k, 1];
    const [bColumn, bStep] = layout === "nt" ? [k, 1] : [1, n];
    for (let z = 0; z < batch; z++)
      for (let i = 0; i < m; i++)
        for (let j = 0; j < n; j++) {
          let sum = 0;
          for (let q = 0; q < k; q++)
            sum +=
              element(a.data, z * m * k + i * aRow + q * aStep) * element(b.data, z * n * k + j * bColumn + q * bStep);
          data[(z * m + i) * n + j] = sum;
        }
    const reference: ReferenceArray = { shape: a.shape.length === 3 ? [batch, m, n] : [m, n], data };
    return [reference];
  },
  cases: [
    ...casesOf({ batch: 1, m: 1, n: 1, k: 1 }),
    ...casesOf({ batch: 1, m: 3, n: 6, k: 10 }, true),
    ...casesOf({ batch: 1, m: 0, n: 4, k: 4 }, true),
    ...casesOf({ batch: 1, m: 4, n: 4, k: 0 }),
    ...casesOf({ batch: 3, m: 5, n: 18, k: 34 }, true),
    ...casesOf({ batch: 1, m: 1, n: 130, k: 514 }, true),
    ...casesOf({ batch: 1, m: 8, n: 64, k: 256 }, true),
    ...casesOf({ batch: 1, m: 70, n: 134, k: 270 }, true),
    ...casesOf({ batch: 2, m: 67, n: 45, k: 33 }, false),
    ...casesOf({ batch: 1, m: 160, n: 256, k: 600 }, true, true),
  ],
});

/** Cases of one size in every layout and, where asked for, b's dtype. Rounding grows with the square root of k. */
function casesOf({ batch, m, n, k }: Sizes, bf16 = false, full = false): OpCase<Params>[] {
  const shape = (rows: number, columns: number) => (batch > 1 ? [batch, rows, columns] : [rows, columns]);
  const made: OpCase<Params>[] = [];
  for (const layout of ["nn", "nt", "tn"] as const)
    for (const dtype of bf16 && layout !== "tn" ? (["f32", "bf16"] as const) : (["f32"] as const))
      made.push({
        name: `${layout} ${dtype} ${batch > 1 ? `${batch} x ` : ""}${m} x ${n} x ${k}`,
        inputs: [
          { shape: layout === "tn" ? shape(k, m) : shape(m, k) },
          { shape: layout === "nt" ? shape(n, k) : shape(k, n), dtype },
        ],
        params: { layout },
        full,
      });
  return made;
}
