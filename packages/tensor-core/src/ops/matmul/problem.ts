// One matrix product: what callers ask for, and what kernels get after the checks.
import { TensorError } from "../../error.ts";
import type { Tensor } from "../../tensor.ts";
import { FROM_BIAS, FROM_OUT, K_BLOCK, PLUS_RESIDUAL } from "./canonical.ts";
import type { Finish } from "./finish.ts";
import type { Prologue } from "./prologue.ts";

/** `nt`: a[m,k] b[n,k]; `nn`: a[m,k] b[k,n]; `tn`: a[k,m] b[k,n]. */
export type MatmulLayout = "nn" | "nt" | "tn";

/** One product `out[m,n] = a b`, row-major and contiguous but for the strides; with `batch`, that many one after another. */
export interface MatmulCall {
  readonly layout: MatmulLayout;
  /** f32. */
  readonly a: Tensor;
  /** f32; bf16 too for `nt` (even k) and `nn` (even n), and with `scales` eight bits: u32, four to a word (../int8/int8.ts). */
  readonly b: Tensor;
  /** f32: of b, one for each group of neighbors in a row. Not batched. */
  readonly scales?: Tensor;
  /** f32. */
  readonly out: Tensor;
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly batch?: number;
  /** f32, added to each row: n elements from `biasStart` (0) on. */
  readonly bias?: Tensor;
  readonly biasStart?: number;
  /** Start from `out`'s contents in place of 0. */
  readonly accumulate?: boolean;
  /** Length of a block of K. Any other than the canonical one is for measuring what the order costs. */
  readonly block?: number;
  /** Use columns `column` to `column + width` of rows of `stride` elements: of a (not batched). Default: dense. */
  readonly aColumns?: ColumnRange;
  /** The same for out. */
  readonly outColumns?: ColumnRange;
  /** Added to the whole sums; for products that `finishes` says can, without a batch and with a dense output. */
  readonly finish?: Finish;
  /** What a goes through first; for products that `prepares` says can. */
  readonly prologue?: Prologue | undefined;
  /** K in parts of these lengths, each summed by itself and added from the last to the first; for products that `addsParts` says can. */
  readonly parts?: readonly number[] | undefined;
  /** f32 [m]: takes the sums over k of a's columns, in the order of the product's; for products `tn` that `sumsColumns` says can. */
  readonly aSums?: Tensor | undefined;
}

export interface ColumnRange {
  readonly column: number;
  readonly stride: number;
}

/** A checked call with every default filled in. */
export interface Problem {
  readonly layout: MatmulLayout;
  readonly a: Tensor;
  readonly b: Tensor;
  readonly scales?: Tensor | undefined;
  readonly out: Tensor;
  readonly bias: Tensor | undefined;
  readonly biasStart: number;
  readonly batch: number;
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly aColumns: ColumnRange;
  readonly outColumns: ColumnRange;
  readonly block: number;
  /** What totals start from and end with: bits FROM_OUT, FROM_BIAS and PLUS_RESIDUAL. */
  readonly initial: number;
  readonly finish: Finish;
  readonly prologue: Prologue | undefined;
  readonly parts: readonly number[] | undefined;
  readonly aSums: Tensor | undefined;
}

/** What a kernel is chosen by. */
export type ProblemShape = Pick<
  Problem,
  "layout" | "m" | "n" | "k" | "b" | "scales" | "batch" | "block" | "aColumns" | "outColumns"
>;
/** How the elements of b are held. */
export type Element = "f32" | "bf16" | "int8";

export function elementOf({ b, scales }: Pick<Problem, "b" | "scales">): Element {
  if (scales) return "int8";
  return b.dtype === "bf16" ? "bf16" : "f32";
}

/** What stands in a kernel's name for it. */
export const suffixOf = (element: Element): string => (element === "f32" ? "" : `/${element}`);

/** Uniforms that every kernel has: sizes, row strides in elements, the block of K, and where the total starts. */
export const problemUniforms = {
  m: "u32",
  n: "u32",
  k: "u32",
  aStride: "u32",
  aColumn: "u32",
  outStride: "u32",
  outColumn: "u32",
  biasStart: "u32",
  block: "u32",
  initial: "u32",
} as const;

/** Values of `problemUniforms`. */
export function uniformsOf({ m, n, k, aColumns, outColumns, biasStart, block, initial }: Problem): number[] {
  return [m, n, k, aColumns.stride, aColumns.column, outColumns.stride, outColumns.column, biasStart, block, initial];
}

/** Bindings a, b, bias, scales where b has them, and out; without a bias, a stands in for it and is not read as one. */
export function bindingsOf({ a, b, bias, scales, out }: Problem): { reads: Tensor[]; writes: Tensor[] } {
  return { reads: [a, b, bias ?? a, ...(scales ? [scales] : [])], writes: [out] };
}

/** Uniforms that kernels with `scales` have more: the binary logarithm of a group's length. */
export const scaleUniforms = { groupShift: "u32" } as const;

export function scaleUniformsOf({ b, scales }: Problem): number[] {
  return scales ? [Math.log2((4 * b.size) / scales.size)] : [];
}

/** The problem of a call. Throws `shape`, `dtype` or `argument`. */
export function checked(call: MatmulCall): Problem {
  const { layout, a, b, scales, out, m, n, k, batch = 1, finish = {}, prologue, parts, aSums } = call;
  const { bias, biasStart = 0, accumulate = false, block = K_BLOCK } = call;
  const aWidth = layout === "tn" ? m : k;
  const aColumns = call.aColumns ?? { column: 0, stride: aWidth };
  const outWidth = finish.gate ? n / 2 : n;
  const outColumns = call.outColumns ?? { column: 0, stride: outWidth };
  const where = `matmul ${layout} m=${m} n=${n} k=${k} batch=${batch}`;
  const fail = (code: "shape" | "dtype" | "argument", message: string): never => {
    throw new TensorError(code, `${where}: ${message}`);
  };
  if (a.dtype !== "f32" || out.dtype !== "f32") fail("dtype", `a and out are f32, not ${a} and ${out}`);
  if (bias && (bias.dtype !== "f32" || bias.size < biasStart + n))
    fail("shape", `bias is f32[${biasStart + n}], not ${bias}`);
  const element = elementOf({ b, scales });
  if (
    element === "int8"
      ? b.dtype !== "u32" || layout === "tn" || batch !== 1
      : b.dtype !== "f32" && (b.dtype !== "bf16" || layout === "tn")
  )
    fail("dtype", `b is f32 (or bf16 or in eight bits for nn and nt), not ${b}`);
  if (b.dtype === "bf16" && (layout === "nt" ? k : n) % 2 !== 0) fail("shape", "rows of a bf16 b are even");
  if (batch !== 1 && (call.aColumns || call.outColumns)) fail("argument", "a batch has no column ranges");
  const fits = (tensor: Tensor, rows: number, columns: ColumnRange, width: number) =>
    columns.column + width <= columns.stride && tensor.size === batch * rows * columns.stride;
  if (!fits(a, layout === "tn" ? k : m, aColumns, aWidth)) fail("shape", `a does not fit: ${a}`);
  if (b.size * (element === "int8" ? 4 : 1) !== batch * n * k) fail("shape", `b does not fit: ${b}`);
  if (!fits(out, m, outColumns, outWidth)) fail("shape", `out does not fit: ${out}`);
  const initial = (accumulate ? FROM_OUT : 0) + (bias ? FROM_BIAS : 0) + (finish.residual ? PLUS_RESIDUAL : 0);
  if (finish.gate && initial !== 0) fail("argument", "a gate is of products alone");
  const more = { aColumns, outColumns, prologue, parts, aSums };
  return { layout, a, b, scales, out, bias, biasStart, batch, m, n, k, ...more, block, initial, finish };
}
