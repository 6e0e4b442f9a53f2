// Software adapters, large products: a tile of 32 rows by 64 or 48 columns of registers per subgroup, from operands that are stored K-major.
// A lane loads four rows of a and, in pieces, eight or six columns of b per k; a's values reach the other lanes by broadcast.
// Loads cost most here (each lane's is bounds-checked by itself), then code size (compile time): hence the tile's shape, and totals
// and stores in a private array that one small loop walks.
import type { Device } from "../../device/device.ts";
import { defineKernel } from "../../submit/kernel.ts";
import type { Tensor } from "../../tensor.ts";
import { FROM_BIAS, FROM_OUT, range } from "./canonical.ts";
import { bindingsOf, type Problem, problemUniforms, uniformsOf } from "./problem.ts";

const ROWS = 32;
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

const kernel = defineKernel((width: 2 | 4, pieces: number) => {
  const columns = columnsOf({ width, pieces });
  const vector = `vec${width}f` as const;
  const pieceColumns = LANES * width;
  const parts = range(pieces);
  const tile = range(ROWS).flatMap((i) => parts.map((j) => ({ i, j, sum: `s${i}_${j}`, at: i * pieces + j })));
  const rowOf = (i: number) => `subgroupBroadcast(rows.${"xyzw"[i % 4]}, ${i >> 2}u)`;
  const each = (piece: (c: number) => string) => range(width).map(piece).join(", ");
  return {
    name: `matmul_tile/${columns}`,
    reads: { a: "vec4f", b: vector, bias: "f32" },
    writes: { out: "f32" },
    uniforms: { ...problemUniforms, bStart: "u32", bStride: "u32", aBatch: "u32", bBatch: "u32" },
    subgroups: true,
    code: /* wgsl */ `
@compute @workgroup_size(${LANES})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let firstRow = group.y * ${ROWS}u;
  let firstColumn = group.x * ${columns}u + lane * ${width}u;
  let pieceCount = ${pieces}u * min(${ROWS}u, P.m - firstRow);
  let aAt = group.z * P.aBatch + P.aColumn + min((firstRow >> 2u) + lane, ((P.m + 3u) >> 2u) - 1u);
  let last = ((P.n + 3u) >> 2u) * ${4 / width}u - 1u;
  let bAt = group.z * P.bBatch + P.bStart;
  ${parts.map((j) => `let b${j}At = bAt + min(firstColumn / ${width}u + ${j * LANES}u, last);`).join("\n  ")}
  let outAt = group.z * P.m * P.outStride + P.outColumn + firstRow * P.outStride + firstColumn;
  var total: array<${vector}, ${ROWS * pieces}>;
  for (var i = 0u; (P.initial & ${FROM_OUT}u) != 0u && i < pieceCount; i++) {
    let at = outAt + (i / ${pieces}u) * P.outStride + (i % ${pieces}u) * ${pieceColumns}u;
    total[i] = ${vector}(${each((c) => `out[at + ${c}u]`)});
  }
  if ((P.initial & ${FROM_BIAS}u) != 0u) {
    let biasAt = P.biasStart + firstColumn;
    ${parts.map((j) => `let bias${j} = ${vector}(${each((c) => `bias[biasAt + ${j * pieceColumns + c}u]`)});`).join("\n    ")}
    ${tile.map(({ j, at }) => `total[${at}] += bias${j};`).join(" ")}
  }
  ${tile.map(({ sum }) => `var ${sum} = ${vector}();`).join(" ")}
  for (var first = 0u; first < P.k; first += P.block) {
    let end = min(P.k, first + P.block);
    for (var k = first; k < end; k++) {
      let rows = a[aAt + k * P.aStride];
      ${parts.map((j) => `let b${j} = b[b${j}At + k * P.bStride];`).join("\n      ")}
      ${tile.map(({ i, j, sum }) => `${sum} = fma(${vector}(${rowOf(i)}), b${j}, ${sum});`).join("\n      ")}
    }
    ${tile.map(({ sum, at }) => `total[${at}] += ${sum}; ${sum} = ${vector}();`).join("\n    ")}
  }
  for (var i = 0u; i < pieceCount; i++) {
    let piece = (i % ${pieces}u) * ${pieceColumns}u;
    let column = firstColumn + piece;
    let at = outAt + (i / ${pieces}u) * P.outStride + piece;
    let value = total[i];
    ${range(width)
      .map((c) => `if (column + ${c}u < P.n) { out[at + ${c}u] = value.${"xyzw"[c]}; }`)
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

/** Operands that are not stored as `a` and `b` say are packed first: `kMajor`. */
export function dispatchTile(device: Device, problem: Problem, a: KMajor, b: KMajor): void {
  const { batch, m, n } = problem;
  const shape = shapeFor(n);
  const inPieces = (groups: number): number => (groups * 4) / shape.width;
  const packed = { ...problem, a: a.tensor, b: b.tensor, aColumns: { stride: a.stride, column: a.start } };
  device.dispatch(kernel(shape.width, shape.pieces), {
    ...bindingsOf(packed),
    uniforms: [...uniformsOf(packed), inPieces(b.start), inPieces(b.stride), a.batchStride, inPieces(b.batchStride)],
    groups: [Math.ceil(n / columnsOf(shape)), Math.ceil(m / ROWS), batch],
  });
}
