// The steps of a product by tensor cores, as WGSL. A test puts plain arithmetic in their place, so that all around them runs on any adapter.
import type { MatrixUnit } from "../../device/matrix-unit.ts";

/** Of an f16 panel in workgroup memory: how its elements lie. */
export interface Panel {
  readonly name: "rows" | "columns";
  /** Rows of the tile are neighbors in memory, else elements of K. */
  readonly kMajor: boolean;
  /** Elements from a row to the next, or from a k to the next. */
  readonly pitch: number;
}

/** A matrix within a panel's high or low half: WGSL of where it begins. */
export interface Place extends Panel {
  readonly half: "high" | "low";
  readonly at: string;
}

export interface MatrixText {
  readonly extensions: (unit: MatrixUnit) => readonly string[];
  /** After `@compute @workgroup_size(...)`. */
  readonly attributes: (unit: MatrixUnit) => string;
  /** Parameters of `main`, and statements before all others, that give `subgroup` and `lane`. */
  readonly parameters: string;
  readonly head: (unit: MatrixUnit) => string;
  readonly declarations: (unit: MatrixUnit, panels: readonly [Panel, Panel], isSplit: boolean) => string;
  /** Expressions. `Sums` is the type of sums, `Sums()` zeros. */
  readonly left: (place: Place) => string;
  readonly right: (place: Place) => string;
  readonly multiply: (left: string, right: string, sums: string) => string;
  /** A statement: sums `[m, n]` row by row to `slab` from `at` on. */
  readonly store: (sums: string, at: string, unit: MatrixUnit) => string;
}

/** Subgroup matrices, in Dawn's spelling of today. Template arguments are columns before rows. */
export const subgroupMatrices: MatrixText = {
  extensions: ({ isAskedFor }) => [
    ...["f16", "subgroups", "chromium_experimental_subgroup_matrix"],
    ...(isAskedFor ? ["subgroup_size_control"] : []),
  ],
  attributes: ({ lanes, isAskedFor }) => (isAskedFor ? `@subgroup_size(${lanes})` : ""),
  parameters: "@builtin(subgroup_id) subgroup: u32, @builtin(subgroup_invocation_id) lane: u32",
  head: () => "",
  declarations: ({ m, n, k }) => `
alias Left = subgroup_matrix_left<f16, ${k}, ${m}>;
alias Right = subgroup_matrix_right<f16, ${n}, ${k}>;
alias Sums = subgroup_matrix_result<f32, ${n}, ${m}>;`,
  left: (place) => load("Left", place, place.kMajor),
  right: (place) => load("Right", place, !place.kMajor),
  multiply: (left, right, sums) => `subgroupMatrixMultiplyAccumulate(${left}, ${right}, ${sums})`,
  store: (sums, at, { n }) => `subgroupMatrixStore<row_major>(&slab, ${at}, ${sums}, ${n}u);`,
};

const load = (type: string, { name, half, at, pitch }: Place, isColumnMajor: boolean): string =>
  `subgroupMatrixLoad<${type}, ${isColumnMajor ? "col_major" : "row_major"}>(&${name}_${half}, ${at}, ${pitch}u)`;
