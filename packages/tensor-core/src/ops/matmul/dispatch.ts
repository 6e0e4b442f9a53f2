// Matrix products on the GPU: checks a call, and picks the kernel from its shape and the adapter's family. All kernels give equal bits, but
// for those of tensor cores, which are taken where someone asked for them.
import type { Device } from "../../device/device.ts";
import { TensorError } from "../../error.ts";
import type { Tensor } from "../../tensor.ts";
import { aligned } from "../aligned.ts";
import { K_BLOCK } from "./canonical.ts";
import { dispatchFewRows, fitsFewRows } from "./few-rows.ts";
import { dispatchMatrix, fitsMatrix, operandPowers } from "./matrix.ts";
import { dispatchPanels, fitsPanels } from "./panels.ts";
import { checked, type MatmulCall, type MatmulLayout, type Problem, type ProblemShape } from "./problem.ts";
import { dispatchRows, fitsRows } from "./rows.ts";
import { dispatchSimple } from "./simple.ts";
import { MOST_PARTS } from "./tile.ts";
import { dispatchTiled } from "./tiled.ts";
import { dispatchChoice, type Tuning, tuningKey } from "./tuning.ts";
import { dispatchWorkgroup } from "./workgroup.ts";

export type { MatmulCall, MatmulLayout } from "./problem.ts";

/** Whether a kernel reads b in eight bits itself: those of cards do. Else its rows are widened first. */
export function readsInt8({ facts }: Device, call: MatmulCall): boolean {
  if (facts.family === "software" && facts.subgroupSize === 8) return false;
  const problem = checked(call);
  return fitsFewRows(problem) || fitsPanels(problem);
}

/** Records the product, by a choice of `tuning` where it has one. Throws `shape`, `dtype` or `argument` for operands that do not fit the sizes. */
export function matmulInto(device: Device, call: MatmulCall, tuning: Tuning = device.facts.tuning): void {
  const problem = checked(call);
  if (call.finish?.lowRank ? !finishes(device, problem) : call.finish?.residual && !addsResidual(device, problem))
    throw new TensorError("argument", "a product of so many rows adds nothing to its sums");
  if (call.finish?.gate && !gates(device, problem))
    throw new TensorError("argument", "a product of so many rows gates nothing");
  if (call.prologue && !prepares(device, problem))
    throw new TensorError("argument", "a product of so many rows takes them as they are");
  if (call.parts && !addsParts(device, problem, call.parts))
    throw new TensorError("argument", "such a product takes K as a whole");
  if (call.aSums && (problem.layout !== "tn" || problem.batch > 1 || !sumsColumns(device, problem)))
    throw new TensorError("argument", "such a product sums no columns of a");
  if (problem.m === 0 || problem.n === 0 || problem.batch === 0) return;
  const temporary: Tensor[] = [];
  const [a, b] = [aligned(problem.a, temporary), aligned(problem.b, temporary)];
  const bias = problem.bias && aligned(problem.bias, temporary);
  const ready = { ...problem, a, b, bias };
  const path = pathOf(device, ready);
  const powers = path === "matrix" ? operandPowers(device, ready, temporary) : undefined;
  device.flops += 2 * problem.m * problem.n * problem.k * problem.batch; // of what is recorded from here on
  const chosen = !powers && hasChoices(tuning) ? tuning[tuningKey(ready)] : undefined;
  if (powers) dispatchMatrix(device, ready, powers);
  else if (chosen === undefined || !dispatchChoice(device, ready, chosen)) dispatchAsUsual(device, path, ready);
  for (const tensor of temporary) tensor.dispose();
}

/** Without building a key for each product where there are none. */
function hasChoices(tuning: Tuning): boolean {
  for (const _ in tuning) return true;
  return false;
}

function dispatchAsUsual(device: Device, path: MatmulPath, ready: Problem): void {
  switch (path) {
    case "simple":
      dispatchSimple(device, ready);
      break;
    case "rows":
      dispatchRows(device, ready);
      break;
    case "fewRows":
      dispatchFewRows(device, ready);
      break;
    case "panels":
      dispatchPanels(device, ready);
      break;
    case "workgroup":
      dispatchWorkgroup(device, ready);
      break;
    case "tile":
      dispatchTiled(device, ready);
      break;
  }
}

/** Which kernel computes a problem: a pure function of its shape and the adapter's facts. */
export type MatmulPath = "simple" | "rows" | "tile" | "fewRows" | "panels" | "workgroup" | "matrix";

/** Products of fewer multiply-adds than this are not worth a tile. */
const SMALL = 1 << 15;
const ADD_RESIDUALS: ReadonlySet<MatmulPath> = new Set(["simple", "rows", "fewRows", "tile"]);
/** Rows up to which reading a weight as it lies beats packing it. */
const FEW_ROWS = 64;

/** Whether the kernel of a dense product of rows by a weight adds a residual to its sums. */
export function addsResidual(device: Device, problem: DenseShape): boolean {
  return ADD_RESIDUALS.has(densePath(device, problem));
}

/** Whether the kernel of a dense product by `b` [k, n] takes K in `parts`: of at most three, each a block of the canonical order or less. */
export function addsParts(device: Device, problem: DenseShape, parts: readonly number[]): boolean {
  return (
    parts.length <= MOST_PARTS && parts.every((part) => part <= K_BLOCK) && densePath(device, problem, "nn") === "tile"
  );
}

/** Whether the kernel of a dense product `tn` sums the columns of a beside it. */
export function sumsColumns(device: Device, problem: DenseShape): boolean {
  return densePath(device, problem, "tn") === "tile";
}

/** Whether the kernel of a dense product of rows by a weight adds all that `finish` can ask for. */
export function finishes(device: Device, problem: DenseShape): boolean {
  const path = densePath(device, problem);
  return path === "rows" || path === "fewRows";
}

/** Whether it gates one half of its columns by the other. */
export function gates(device: Device, problem: DenseShape): boolean {
  return densePath(device, problem) === "fewRows";
}

/** Whether it takes its rows through a prologue, in the order of sums that the prologue's own op has here. */
export function prepares(device: Device, problem: DenseShape): boolean {
  return device.facts.family !== "software" && densePath(device, problem) === "fewRows";
}

type DenseShape = Pick<Problem, "m" | "n" | "k" | "b">;

function densePath(device: Device, { m, n, k, b }: DenseShape, layout: MatmulLayout = "nt"): MatmulPath {
  const dense = { aColumns: { column: 0, stride: k }, outColumns: { column: 0, stride: n } };
  return pathOf(device, { layout, m, n, k, b, batch: 1, block: K_BLOCK, ...dense });
}

function pathOf(device: Device, problem: ProblemShape): MatmulPath {
  const { layout, m, n, k } = problem;
  const { family, subgroupSize } = device.facts;
  const small = m * n * k < SMALL || m < 4 || n < 16;
  if (family !== "software" || subgroupSize !== 8) {
    if ((problem.scales || m * n * k >= SMALL) && fitsFewRows(problem)) return "fewRows";
    if (small && !problem.scales) return "simple";
    if (fitsMatrix(device, problem)) return "matrix";
    return fitsPanels(problem) ? "panels" : "workgroup";
  }
  if (layout === "nt" && m <= FEW_ROWS && m * n * k >= SMALL && fitsRows(problem)) return "rows";
  return small ? "simple" : "tile";
}
