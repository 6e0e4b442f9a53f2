// What is added to each output of a product once its sum is whole: an adapter's part, then a residual.
import type { StorageElement, UniformType } from "../../submit/kernel.ts";
import type { Tensor } from "../../tensor.ts";
import { PLUS_RESIDUAL } from "./canonical.ts";
import type { Problem } from "./problem.ts";

/** The up projections of adapters that stand side by side. */
export interface LowRank {
  /** f32 `[m, adapters * rank]`: the rows' down projections, adapter after adapter. */
  readonly down: Tensor;
  /** f32 `[n, rank]`: the up matrices, one behind the other. */
  readonly up: Tensor;
  readonly rank: number;
  readonly scale: number;
  /** Columns of the output that the first, and the first two, adapters have. The third has the rest. */
  readonly ends: readonly [number, number];
}

/** `out = residual + fma(scale, down up^T, a b)`; without one of them, as if it were not there. */
export interface Finish {
  readonly lowRank?: LowRank | undefined;
  /** f32, of the output's shape. */
  readonly residual?: Tensor | undefined;
  /** The output `[m, n / 2]` is `siluGate` of the first and the second half of the columns; for products that `gates` says can, without a residual. */
  readonly gate?: boolean | undefined;
}

/** Which text a finish needs: a residual is a flag of each. */
export type FinishKind = "" | "lowRank";

/** Bindings and uniforms that the text of a kind reads, and `finish(at, row, column, total)`, the value of the output element at `at`. */
export interface FinishText {
  readonly reads: Readonly<Record<string, StorageElement>>;
  readonly uniforms: Readonly<Record<string, UniformType>>;
  readonly code: string;
}

export function finishText(kind: FinishKind): FinishText {
  const lowRank = /* wgsl */ `
  var z = 0.0;
  let adapter = select(0u, 1u, column >= P.end0) + select(0u, 1u, column >= P.end1);
  let first = row * P.downStride + adapter * P.rank;
  for (var r = 0u; r < P.rank; r++) { z = fma(down[first + r], up[column * P.rank + r], z); }
  value = fma(P.scale, z, value);`;
  return {
    reads: { residual: "f32", ...(kind === "lowRank" ? { down: "f32", up: "f32" } : {}) },
    uniforms: kind === "lowRank" ? { rank: "u32", downStride: "u32", end0: "u32", end1: "u32", scale: "f32" } : {},
    code: /* wgsl */ `
fn finish(at: u32, row: u32, column: u32, total: f32) -> f32 {
  var value = total;${kind === "lowRank" ? lowRank : ""}
  if ((P.initial & ${PLUS_RESIDUAL}u) != 0u) { value = residual[at] + value; }
  return value;
}`,
  };
}

/** The text of a problem's finish, with the tensors and values of its bindings and uniforms; without a residual, a stands in for it and is not read as one. */
export function finishCall({ finish: { lowRank, residual }, a }: Pick<Problem, "finish" | "a">): {
  kind: FinishKind;
  reads: Tensor[];
  uniforms: number[];
} {
  if (!lowRank) return { kind: "", reads: [residual ?? a], uniforms: [] };
  const { down, up, rank, scale, ends } = lowRank;
  return {
    kind: "lowRank",
    reads: [residual ?? a, down, up],
    uniforms: [rank, down.shape[1] ?? 0, ...ends, scale],
  };
}
