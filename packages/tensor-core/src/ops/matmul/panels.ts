// Real GPUs, large products: a tile of outputs per workgroup from panels of 16 k in workgroup memory. Operands are read four elements at a time, a
// panel ahead of the one that is multiplied; a thread holds 4 or 8 rows of 4 outputs. Needs no subgroups.
import { MOST_FLOPS_AT_ONCE } from "../../device/constants.ts";
import type { Device } from "../../device/device.ts";
import { defineKernel } from "../../submit/kernel.ts";
import { int8Wgsl } from "../int8/int8-wgsl.ts";
import { range, startWgsl } from "./canonical.ts";
import {
  bindingsOf,
  type Element,
  elementOf,
  type Problem,
  type ProblemShape,
  problemUniforms,
  scaleUniforms,
  scaleUniformsOf,
  suffixOf,
  uniformsOf,
} from "./problem.ts";
import { dispatchSplit, splitsOf } from "./split.ts";

const DEPTH = 16;
/** Columns of a thread. */
const COLUMNS = 4;

/** Outputs of a workgroup, and rows of a thread. All give equal bits. */
export interface PanelTile {
  readonly rows: number;
  readonly columns: number;
  readonly perThread: 4 | 8;
}

export const WIDE_TILE: PanelTile = { rows: 128, columns: 64, perThread: 8 };
export const SQUARE_TILE: PanelTile = { rows: 64, columns: 64, perThread: 4 };
export const NARROW_TILE: PanelTile = { rows: 64, columns: 32, perThread: 4 };
/** Workgroups that keep a card busy. */
const ENOUGH = 256;

/** Whether both operands can be read by fours, and blocks of K are whole panels. */
export function fitsPanels({ layout, m, n, k, batch, aColumns, block }: ProblemShape): boolean {
  const along = [aColumns.column, aColumns.stride, layout === "tn" ? m : k, layout === "nt" ? k : n];
  const matrices = batch === 1 ? [] : [m * k, n * k];
  return block % DEPTH === 0 && k > 0 && [...along, ...matrices].every((elements) => elements % 4 === 0);
}

function tilesOf({ m, n, batch }: Problem, { rows, columns }: PanelTile): number {
  return Math.ceil(m / rows) * Math.ceil(n / columns) * batch;
}

/** The largest tile that keeps a card busy; on a software adapter, which runs these kernels in tests, always the same one. */
function tileFor({ facts }: Device, problem: Problem): PanelTile {
  if (facts.software) return SQUARE_TILE;
  if (problem.n <= NARROW_TILE.columns) return NARROW_TILE;
  return tilesOf(problem, WIDE_TILE) >= ENOUGH ? WIDE_TILE : SQUARE_TILE;
}

/** An operand on its way to its panel `[d][row]`, by way of registers. */
interface Operand {
  readonly panel: "rows" | "columns";
  readonly size: number;
  /** Its rows are neighbors in memory, else its k. */
  readonly kMajor: boolean;
  /** WGSL: the vec4f at a group of four elements. */
  readonly four: (group: string) => string;
  /** WGSL: elements before the matrix, from a row to the next (or a k to the next), its rows, and the tile's first. */
  readonly base: string;
  readonly stride: string;
  readonly count: string;
  readonly first: string;
}

const pitch = (size: number): number => size + 4;

/** A thread's part `i` of the next panel, in its register: zeros beyond the end of K; beyond the last row, that row. */
function load({ panel, size, kMajor, four, base, stride, count, first }: Operand, i: number, threads: number): string {
  const e = `let e = thread + ${i * threads}u;`;
  const place = kMajor
    ? `let k = kNext + e / ${size / 4}u; let at = min(${first} + e % ${size / 4}u * 4u, ${count} - 4u);
      let group = (${base} + min(k, P.k - 1u) * ${stride} + at) / 4u;`
    : `let k = kNext + e % ${DEPTH / 4}u * 4u; let at = min(${first} + e / ${DEPTH / 4}u, ${count} - 1u);
      let group = (${base} + at * ${stride} + min(k, P.k - 4u)) / 4u;`;
  return `{ ${e} ${place} ${panel}${i} = select(vec4f(), ${four("group")}, k < kEnd); }`;
}

function store({ panel, size, kMajor }: Operand, i: number, threads: number): string {
  const place = kMajor
    ? `let at = e / ${size / 4}u * ${pitch(size)}u + e % ${size / 4}u * 4u;`
    : `let at = e % ${DEPTH / 4}u * ${4 * pitch(size)}u + e / ${DEPTH / 4}u;`;
  const step = kMajor ? 1 : pitch(size);
  const words = range(4).map((c) => `${panel}[at + ${c * step}u] = ${panel}${i}.${"xyzw"[c]};`);
  return `{ let e = thread + ${i * threads}u; ${place} ${words.join(" ")} }`;
}

/** Four elements of b, as f32. */
export const fourOf: Readonly<Record<Element, (group: string) => string>> = {
  f32: (group) => `b[${group}]`,
  bf16: (group) =>
    `bitcast<vec4f>(vec4u(b[${group}].x << 16u, b[${group}].x & 0xffff0000u, b[${group}].y << 16u, b[${group}].y & 0xffff0000u))`,
  int8: (group) => `(int8_four(b[${group}]) * scales[(${group} * 4u) >> P.groupShift])`,
};
/** What b is bound as. */
export const elementTypes = { f32: "vec4f", bf16: "vec2u", int8: "u32" } as const;

function operandsOf(layout: Problem["layout"], element: Element, tile: PanelTile): readonly [Operand, Operand] {
  const a: Operand = {
    ...{ panel: "rows", size: tile.rows, kMajor: layout === "tn", four: (group) => `a[${group}]` },
    ...{ base: "matrix * P.m * P.k + P.aColumn", stride: "P.aStride", count: "P.m", first: "rowsFirst" },
  };
  const b: Operand = {
    ...{
      panel: "columns",
      size: tile.columns,
      kMajor: layout !== "nt",
      four: fourOf[element],
    },
    ...{ base: "matrix * P.n * P.k", stride: layout === "nt" ? "P.k" : "P.n", count: "P.n", first: "columnsFirst" },
  };
  return [a, b];
}

/** `unrolls`: the panel's depth is a constant, which a card's compiler unrolls and a software adapter's would take seconds for. */
const kernel = defineKernel(
  (layout: Problem["layout"], element: Element, unrolls: boolean, rows: number, columns: number, perThread: number) => {
    const operands = operandsOf(layout, element, { rows, columns, perThread: perThread as 4 | 8 });
    const across = columns / COLUMNS;
    const threads = (rows / perThread) * across;
    const parts = operands.flatMap((operand) =>
      range((operand.size * DEPTH) / 4 / threads).map((i) => ({ operand, i, register: `${operand.panel}${i}` })),
    );
    const own = range(perThread);
    const loads = parts.map(({ operand, i }) => load(operand, i, threads)).join("\n    ");
    const row = (i: number): string => `rowsFirst + row + ${i}u`;
    const each = own.flatMap((i) => range(COLUMNS).map((c) => ({ i, c, sum: `total${i}.${"xyzw"[c]}` })));
    const inside = ({ i, c }: { i: number; c: number }): string => `${row(i)} < P.m && column + ${c}u < P.n`;
    const place = ({ i, c }: { i: number; c: number }): string => `outAt + ${i}u * P.outStride + ${c}u`;
    const step = (d: string): string => `let r = ${d} * ${pitch(rows)}u + row; let c = ${d} * ${pitch(columns)}u + lane;
      let b = vec4f(columns[c], columns[c + 1u], columns[c + 2u], columns[c + 3u]);
      ${own.map((i) => `sum${i} = fma(vec4f(rows[r + ${i}u]), b, sum${i});`).join("\n      ")}`;
    const multiply = unrolls
      ? range(DEPTH)
          .map((d) => `{ ${step(`${d}u`)} }`)
          .join("\n    ")
      : `for (var d = 0u; d < P.depth; d++) { ${step("d")} }`;
    return {
      name: `matmul_panels/${layout}${suffixOf(element)}/${rows}x${columns}`,
      reads: {
        ...{ a: "vec4f", b: elementTypes[element], bias: "f32" },
        ...(element === "int8" && { scales: "f32" }),
      },
      writes: { out: "f32" },
      uniforms: {
        ...problemUniforms,
        splits: "u32",
        depth: "u32",
        rowsBefore: "u32",
        ...(element === "int8" && scaleUniforms),
      },
      code: /* wgsl */ `${startWgsl}${element === "int8" ? int8Wgsl : ""}
var<workgroup> rows: array<f32, ${DEPTH * pitch(rows)}>;
var<workgroup> columns: array<f32, ${DEPTH * pitch(columns)}>;
@compute @workgroup_size(${threads})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  let rowsFirst = P.rowsBefore + group.y * ${rows}u;
  let columnsFirst = group.x * ${columns}u;
  let matrix = group.z / P.splits;
  let row = thread / ${across}u * ${perThread}u;
  let lane = thread % ${across}u * ${COLUMNS}u; // apart from the column: what is known of it spares checks of the panel's bounds
  let column = columnsFirst + lane;
  let outAt = group.z * P.m * P.outStride + (rowsFirst + row) * P.outStride + P.outColumn + column;
  ${own.map((i) => `var total${i} = vec4f(); var sum${i} = vec4f();`).join(" ")}
  if (P.initial != 0u) {
    ${each.map((one) => `if (${inside(one)}) { ${one.sum} = start(${place(one)}, column + ${one.c}u); }`).join("\n    ")}
  }
  // Where K is split, a workgroup takes one block.
  var kNext = select(0u, group.z % P.splits * P.block, P.splits > 1u);
  let kEnd = select(P.k, min(P.k, kNext + P.block), P.splits > 1u);
  ${parts.map(({ register }) => `var ${register} = vec4f();`).join(" ")}
  ${loads}
  while (kNext < kEnd) {
    let blockEnd = min(kEnd, kNext + P.block);
    while (kNext < blockEnd) {
      workgroupBarrier();
      ${parts.map(({ operand, i }) => store(operand, i, threads)).join("\n      ")}
      workgroupBarrier();
      kNext += ${DEPTH}u;
      if (kNext < kEnd) {
      ${loads}
      }
      ${multiply}
    }
    ${own.map((i) => `total${i} += sum${i}; sum${i} = vec4f();`).join(" ")}
  }
  ${each.map((one) => `if (${inside(one)}) { out[${place(one)}] = ${one.sum}; }`).join("\n  ")}
}`,
    };
  },
);

/** How a product is computed, where not as its shape and the adapter say. All give equal bits. */
export interface PanelVariant {
  readonly tile?: PanelTile;
  readonly splits?: number;
  readonly unrolls?: boolean;
  /** Of one dispatch, a multiple of the tile's; others follow in submissions of their own. */
  readonly rowsAtOnce?: number;
}

export function dispatchPanels(device: Device, problem: Problem, variant: PanelVariant = {}): void {
  const { layout, batch, n } = problem;
  const { tile = tileFor(device, problem), unrolls = !device.facts.software } = variant;
  const splits = variant.splits ?? splitsOf(device, problem, tilesOf(problem, tile), ENOUGH);
  const compute = kernel(layout, elementOf(problem), unrolls, tile.rows, tile.columns, tile.perThread);
  dispatchSplit(device, problem, splits, (part) => {
    forRows(device, part, tile.rows, variant.rowsAtOnce, (rowsBefore, rows) =>
      device.dispatch(compute, {
        ...bindingsOf(part),
        uniforms: [...uniformsOf(part), splits, DEPTH, rowsBefore, ...scaleUniformsOf(part)],
        groups: [Math.ceil(n / tile.columns), Math.ceil(rows / tile.rows), batch * splits],
      }),
    );
  });
}

/** Rows in dispatches that no driver ends for their length, each in a submission of its own: whole tiles, but for the last. */
export function forRows(
  device: Device,
  { m, n, k, batch }: Problem,
  tileRows: number,
  given: number | undefined,
  compute: (rowsBefore: number, rows: number) => void,
): void {
  const rowsAtOnce = given ?? Math.max(1, Math.floor(MOST_FLOPS_AT_ONCE / (2 * n * k * batch * tileRows))) * tileRows;
  for (let rowsBefore = 0; rowsBefore < m; rowsBefore += rowsAtOnce) {
    if (rowsBefore > 0) device.flush();
    compute(rowsBefore, Math.min(rowsAtOnce, m - rowsBefore));
  }
}
