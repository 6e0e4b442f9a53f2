// Matrix products on the GPU: checks a call, and picks the kernel from its shape and the adapter's family. All kernels give equal bits.
import type { Device } from "../../device/device.ts";
import { TensorError } from "../../errors.ts";
import type { Tensor } from "../../tensor.ts";
import { aligned } from "../aligned.ts";
import { FROM_BIAS, FROM_OUT } from "./canonical.ts";
import { kMajor, type Stored } from "./pack.ts";
import { dispatchRows, rowsStep } from "./rows.ts";
import { dispatchSimple } from "./simple.ts";
import { dispatchTile } from "./tile.ts";

/** `nt`: a[m,k] b[n,k]; `nn`: a[m,k] b[k,n]; `tn`: a[k,m] b[k,n]. */
export type MatmulLayout = "nn" | "nt" | "tn";

/** One product `out[m,n] = a b`, row-major and contiguous but for the strides; with `batch`, that many one after another. */
export interface MatmulCall {
  readonly layout: MatmulLayout;
  /** f32. */
  readonly a: Tensor;
  /** f32; bf16 too for `nt` (even k) and `nn` (even n). */
  readonly b: Tensor;
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
  /** Use columns `column` to `column + width` of rows of `stride` elements: of a (not batched). Default: dense. */
  readonly aColumns?: ColumnRange;
  /** The same for out. */
  readonly outColumns?: ColumnRange;
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
  readonly out: Tensor;
  readonly bias: Tensor | undefined;
  readonly biasStart: number;
  readonly batch: number;
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly aColumns: ColumnRange;
  readonly outColumns: ColumnRange;
  /** Where totals start: bits FROM_OUT and FROM_BIAS. */
  readonly initial: number;
}

/** Records the product. Throws `shape`, `dtype` or `argument` for operands that do not fit the sizes. */
export function matmulInto(device: Device, call: MatmulCall): void {
  const problem = checked(call);
  if (problem.m === 0 || problem.n === 0 || problem.batch === 0) return;
  const temporary: Tensor[] = [];
  const [a, b] = [aligned(problem.a, temporary), aligned(problem.b, temporary)];
  const bias = problem.bias && aligned(problem.bias, temporary);
  const ready = { ...problem, a, b, bias };
  switch (pathOf(device, ready)) {
    case "simple":
      dispatchSimple(device, ready);
      break;
    case "rows":
      dispatchRows(device, ready);
      break;
    case "tile":
      dispatchTile(
        device,
        ready,
        kMajor(device, storedA(ready), ready.layout !== "tn", temporary),
        kMajor(device, storedB(ready), ready.layout === "nt", temporary),
      );
      break;
  }
  for (const tensor of temporary) tensor.dispose();
}

/** Which kernel computes a problem: a pure function of its shape and the adapter's facts. */
export type MatmulPath = "simple" | "rows" | "tile";

/** Products of fewer multiply-adds than this are not worth a tile. */
const SMALL = 1 << 15;
/** Rows up to which reading a weight as it lies beats packing it. */
const FEW_ROWS = 32;

function pathOf(device: Device, { layout, b, m, n, k, aColumns }: Problem): MatmulPath {
  const { family, subgroupSize } = device.facts;
  if (family !== "software" || subgroupSize !== 8 || m * n * k < SMALL) return "simple";
  const aligned = k % rowsStep(b.dtype === "bf16") === 0 && aColumns.stride % 4 === 0 && aColumns.column % 4 === 0;
  if (layout === "nt" && m <= FEW_ROWS && aligned) return "rows";
  return m >= 4 && n >= 16 ? "tile" : "simple";
}

function storedA({ layout, a: tensor, m, k, batch, aColumns }: Problem): Stored {
  const [rows, columns] = layout === "tn" ? [k, m] : [m, k];
  return { tensor, rows, columns, batch, ...aColumns };
}

function storedB({ layout, b: tensor, n, k, batch }: Problem): Stored {
  const [rows, columns] = layout === "nt" ? [n, k] : [k, n];
  return { tensor, rows, columns, batch, column: 0, stride: columns };
}

function checked(call: MatmulCall): Problem {
  const { layout, a, b, out, m, n, k, batch = 1, bias, biasStart = 0, accumulate = false } = call;
  const aWidth = layout === "tn" ? m : k;
  const aColumns = call.aColumns ?? { column: 0, stride: aWidth };
  const outColumns = call.outColumns ?? { column: 0, stride: n };
  const where = `matmul ${layout} m=${m} n=${n} k=${k} batch=${batch}`;
  const fail = (code: "shape" | "dtype" | "argument", message: string): never => {
    throw new TensorError(code, `${where}: ${message}`);
  };
  if (a.dtype !== "f32" || out.dtype !== "f32") fail("dtype", `a and out are f32, not ${a} and ${out}`);
  if (bias && (bias.dtype !== "f32" || bias.size < biasStart + n))
    fail("shape", `bias is f32[${biasStart + n}], not ${bias}`);
  if (b.dtype !== "f32" && (b.dtype !== "bf16" || layout === "tn"))
    fail("dtype", `b is f32 (or bf16 for nn and nt), not ${b}`);
  if (b.dtype === "bf16" && (layout === "nt" ? k : n) % 2 !== 0) fail("shape", "rows of a bf16 b are even");
  if (batch !== 1 && (call.aColumns || call.outColumns)) fail("argument", "a batch has no column ranges");
  const fits = (tensor: Tensor, rows: number, columns: ColumnRange, width: number) =>
    columns.column + width <= columns.stride && tensor.size === batch * rows * columns.stride;
  if (!fits(a, layout === "tn" ? k : m, aColumns, aWidth)) fail("shape", `a does not fit: ${a}`);
  if (b.size !== batch * n * k) fail("shape", `b does not fit: ${b}`);
  if (!fits(out, m, outColumns, n)) fail("shape", `out does not fit: ${out}`);
  const initial = (accumulate ? FROM_OUT : 0) + (bias ? FROM_BIAS : 0);
  return { layout, a, b, out, bias, biasStart, batch, m, n, k, aColumns, outColumns, initial };
}
