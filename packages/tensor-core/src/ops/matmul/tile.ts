// Software adapters, large products: a tile of 32 rows by 64 or 48 columns of registers per subgroup, from operands that are stored K-major, or as they
// lie where to pack them first would take a good part of the work. A lane loads four rows of a and, in pieces, eight or six columns of b per k; a's values
// reach the other lanes by broadcast.
// Loads cost most here (each lane's is bounds-checked by itself), then the sums, which have no room in registers, then code size (compile time): hence the
// tile's shape, two steps of k for each visit to a sum, and totals and stores in a private array that one small loop walks.
import type { Device } from "../../device/device.ts";
import { defineKernel, type StorageElement, type UniformType } from "../../submit/kernel.ts";
import type { Tensor } from "../../tensor.ts";
import { FROM_BIAS, FROM_OUT, range, weightWgsl } from "./canonical.ts";
import { finishCall, finishText } from "./finish.ts";
import { bindingsOf, type Problem, problemUniforms, uniformsOf } from "./problem.ts";

const ROWS = 32;
/** Parts of K that are summed by themselves. */
export const MOST_PARTS = 3;
const LANES = 8;

/** How a lane holds its columns: `pieces` of `width`, each the width of a subgroup after the one before. */
interface Shape {
  readonly width: 2 | 4;
  readonly pieces: number;
}

const WIDE: Shape = { width: 4, pieces: 2 };
const NARROW: Shape = { width: 2, pieces: 3 };
const columnsOf = ({ width, pieces }: Shape): number => LANES * width * pieces;

/** Strips of wide products are whole tiles of these. */
export const TILE_COLUMNS: number = columnsOf(WIDE);

/** K-major matrices in groups of four elements: row k of matrix z starts at group `start + k * stride + z * batchStride`. */
export interface KMajor {
  readonly tensor: Tensor;
  readonly start: number;
  readonly stride: number;
  readonly batchStride: number;
}

/** How operands are stored: K-major in groups of four, or in any strides; then b may be bf16. */
type Storage = "groups" | "strides" | "strides/bf16";

/** Of k, for each visit to a sum. Where their count is odd, one of nothing comes first, which leaves sums of +0 what they are; that kernel is a tenth slower. */
const STEPS = 2;

/** What a storage needs: bindings, uniforms, and WGSL that finds a lane's rows and columns once, and loads those of step `s` at `k`: `rows_s` and the pieces `b0_s`, `b1_s`, ... */
interface Operands {
  readonly reads: Readonly<Record<"a" | "b", StorageElement>>;
  readonly uniforms: Readonly<Record<string, UniformType>>;
  readonly helpers: string;
  readonly find: string;
  load(s: number, k: string): string;
}

function inGroups({ width, pieces }: Shape): Operands {
  const parts = range(pieces);
  return {
    reads: { a: "vec4f", b: `vec${width}f` },
    uniforms: { bStart: "u32", bStride: "u32", aBatch: "u32", bBatch: "u32" },
    helpers: "",
    find: `let aAt = group.z * P.aBatch + P.aColumn + min((firstRow >> 2u) + lane, ((P.m + 3u) >> 2u) - 1u);
  let last = ((P.n + 3u) >> 2u) * ${4 / width}u - 1u;
  let bAt = group.z * P.bBatch + P.bStart;
  ${parts.map((j) => `let b${j}At = bAt + min(firstColumn / ${width}u + ${j * LANES}u, last);`).join("\n  ")}`,
    load: (s, k) => `var rows_${s} = a[aAt + ${k} * P.aStride];
      ${parts.map((j) => `var b${j}_${s} = b[b${j}At + ${k} * P.bStride];`).join("\n      ")}`,
  };
}

function inStrides({ width, pieces }: Shape, bf16: boolean): Operands {
  const [rows, columns] = [range(4), range(width)];
  const parts = range(pieces);
  const place = (j: number, c: number): string =>
    `let b${j}_${c}At = bAt + min(firstColumn + ${j * LANES * width + c}u, P.n - 1u) * P.bStride;`;
  return {
    reads: { a: "f32", b: bf16 ? "u32" : "f32" },
    uniforms: { aStep: "u32", bStride: "u32", bStep: "u32", aBatch: "u32", bBatch: "u32" },
    helpers: weightWgsl(bf16),
    find: `let aAt = group.z * P.aBatch + P.aColumn;
  ${rows.map((i) => `let a${i}At = aAt + min(firstRow + lane * 4u + ${i}u, P.m - 1u) * P.aStride;`).join("\n  ")}
  let bAt = group.z * P.bBatch;
  ${parts.flatMap((j) => columns.map((c) => place(j, c))).join("\n  ")}`,
    load: (s, k) => `let aOffset_${s} = ${k} * P.aStep;
      var rows_${s} = vec4f(${rows.map((i) => `a[a${i}At + aOffset_${s}]`).join(", ")});
      let bOffset_${s} = ${k} * P.bStep;
      ${parts.map((j) => `var b${j}_${s} = vec${width}f(${columns.map((c) => `weight(b${j}_${c}At + bOffset_${s})`).join(", ")});`).join("\n      ")}`,
  };
}

const kernel = defineKernel((width: 2 | 4, pieces: number, storage: Storage, odd: boolean, sums: boolean) => {
  const shape: Shape = { width, pieces };
  const columns = columnsOf(shape);
  const operands = storage === "groups" ? inGroups(shape) : inStrides(shape, storage === "strides/bf16");
  const finishing = finishText("");
  const vector = `vec${width}f`;
  const pieceColumns = LANES * width;
  const parts = range(pieces);
  const tile = range(ROWS).flatMap((i) => parts.map((j) => ({ i, j, sum: `s${i}_${j}`, at: i * pieces + j })));
  const steps = range(STEPS);
  const rowOf = (i: number, s: number) => `${vector}(subgroupBroadcast(rows_${s}.${"xyzw"[i % 4]}, ${i >> 2}u))`;
  const advance = (i: number) => `{ ${steps.map((s) => `let row_${s} = ${rowOf(i, s)};`).join(" ")}
        ${parts.flatMap((j) => steps.map((s) => `s${i}_${j} = fma(row_${s}, b${j}_${s}, s${i}_${j});`)).join(" ")} }`;
  const each = (piece: (c: number) => string) => range(width).map(piece).join(", ");
  return {
    name: `matmul_tile/${columns}${storage === "groups" ? "" : `/${storage}`}${odd ? "/odd" : ""}${sums ? "/sums" : ""}`,
    reads: { ...operands.reads, bias: "f32", ...finishing.reads },
    writes: { out: "f32", ...(sums ? { aSums: "f32" as const } : {}) },
    uniforms: { ...problemUniforms, steps: "u32", end0: "u32", end1: "u32", ...operands.uniforms },
    subgroups: true,
    code: /* wgsl */ `${operands.helpers}${finishing.code}
@compute @workgroup_size(${LANES})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let firstRow = group.y * ${ROWS}u;
  let firstColumn = group.x * ${columns}u + lane * ${width}u;
  let pieceCount = ${pieces}u * min(${ROWS}u, P.m - firstRow);
  ${operands.find}
  let outAt = group.z * P.m * P.outStride + P.outColumn + firstRow * P.outStride + firstColumn;
  var total: array<${vector}, ${ROWS * pieces}>;
  ${parts.map((j) => `var bias${j} = ${vector}();`).join(" ")}
  if ((P.initial & ${FROM_BIAS}u) != 0u) {
    let biasAt = P.biasStart + firstColumn;
    ${parts.map((j) => `bias${j} = ${vector}(${each((c) => `bias[biasAt + ${j * pieceColumns + c}u]`)});`).join("\n    ")}
  }
  for (var i = 0u; P.initial != 0u && i < pieceCount; i++) {
    let piece = i % ${pieces}u;
    let at = outAt + (i / ${pieces}u) * P.outStride + piece * ${pieceColumns}u;
    var value = ${vector}();
    if ((P.initial & ${FROM_OUT}u) != 0u) { value = ${vector}(${each((c) => `out[at + ${c}u]`)}); }
    if ((P.initial & ${FROM_BIAS}u) != 0u) { value += ${parts.slice(1).reduce((other, j) => `select(${other}, bias${j}, piece == ${j}u)`, "bias0")}; }
    total[i] = value;
  }
  ${tile.map(({ sum }) => `var ${sum} = ${vector}();`).join(" ")}
  ${sums ? "var rowSums = vec4f(); var ofBlock = vec4f();" : ""}
  for (var step = 0u; step < P.steps; step++) {
    var first = step * P.block;
    var end = min(P.k, first + P.block);
    if (P.end0 != 0u) { // parts, the last one first
      let part = P.steps - 1u - step;
      first = select(select(P.end1, P.end0, part == 1u), 0u, part == 0u);
      end = select(select(P.k, P.end1, part == 1u), P.end0, part == 0u);
    }
    let before = ${odd ? "(end - first) & 1u" : "0u"};
    for (var k = first; k < end + before; k += ${STEPS}u) {
      ${operands.load(0, "(max(k, first + before) - before)")}
      ${operands.load(1, "(k + 1u - before)")}
      if (before != 0u && k == first) { rows_0 = vec4f(); ${parts.map((j) => `b${j}_0 = ${vector}();`).join(" ")} }
      ${sums ? "ofBlock += rows_0; ofBlock += rows_1;" : ""}
      ${range(ROWS).map(advance).join("\n      ")}
    }
    ${tile.map(({ sum, at }) => `total[${at}] += ${sum}; ${sum} = ${vector}();`).join("\n    ")}${sums ? "\n    rowSums += ofBlock; ofBlock = vec4f();" : ""}
  }
  ${sums ? `for (var i = 0u; group.x == 0u && i < 4u && firstRow + lane * 4u + i < P.m; i++) { aSums[firstRow + lane * 4u + i] = rowSums[i]; }` : ""}
  for (var i = 0u; i < pieceCount; i++) {
    let piece = (i % ${pieces}u) * ${pieceColumns}u;
    let column = firstColumn + piece;
    let at = outAt + (i / ${pieces}u) * P.outStride + piece;
    let value = total[i];
    ${range(width)
      .map((c) => `if (column + ${c}u < P.n) { out[at + ${c}u] = finish(at + ${c}u, 0u, 0u, value.${"xyzw"[c]}); }`)
      .join("\n    ")}
  }
}`,
  };
});

/** The shape that leaves fewer columns idle; in doubt the wide one, which loads less per product. */
function shapeFor(n: number): Shape {
  const padded = (shape: Shape): number => Math.ceil(n / columnsOf(shape)) * columnsOf(shape);
  return padded(NARROW) < padded(WIDE) ? NARROW : WIDE;
}

/** From packed operands: `kMajor`. */
export function dispatchTile(device: Device, problem: Problem, a: KMajor, b: KMajor): void {
  const { width } = shapeFor(problem.n);
  const inPieces = (groups: number): number => (groups * 4) / width;
  const packed = { ...problem, a: a.tensor, b: b.tensor, aColumns: { stride: a.stride, column: a.start } };
  const more = [inPieces(b.start), inPieces(b.stride), a.batchStride, inPieces(b.batchStride)];
  dispatch(device, packed, "groups", more);
}

/** From operands as they lie. */
export function dispatchStridedTile(device: Device, problem: Problem): void {
  const { layout, b, m, n, k, aColumns } = problem;
  const [aStride, aStep] = layout === "tn" ? [1, aColumns.stride] : [aColumns.stride, 1];
  const [bStride, bStep] = layout === "nt" ? [k, 1] : [1, n];
  const lying = { ...problem, aColumns: { stride: aStride, column: aColumns.column } };
  dispatch(device, lying, b.dtype === "bf16" ? "strides/bf16" : "strides", [aStep, bStride, bStep, m * k, n * k]);
}

function dispatch(device: Device, problem: Problem, storage: Storage, uniforms: readonly number[]): void {
  const { batch, m, n, k, block, parts, aSums } = problem;
  const shape = shapeFor(n);
  const { reads, writes } = bindingsOf(problem);
  const [end0 = 0, second = 0] = parts ?? [];
  const steps = parts?.length ?? Math.ceil(k / block);
  const odd = [k, ...(parts ?? [block])].some((count) => count % STEPS !== 0);
  device.dispatch(kernel(shape.width, shape.pieces, storage, odd, aSums !== undefined), {
    reads: [...reads, ...finishCall(problem).reads],
    writes: aSums ? [...writes, aSums] : writes,
    uniforms: [...uniformsOf(problem), steps, end0, end0 + second, ...uniforms],
    groups: [Math.ceil(n / columnsOf(shape)), Math.ceil(m / ROWS), batch],
  });
}
