// Software adapters, large products: a 32 x 64 tile of registers per subgroup, from operands that are stored K-major.
// A lane loads four rows of a and two times four columns of b per k; a's values reach the other lanes by broadcast.
// Loads cost most here (each lane's is bounds-checked by itself), then code size (compile time): hence the tile's shape, and totals
// and stores in a private array that one small loop walks.
import type { Device } from "../../device/device.ts";
import { defineKernel, type Kernel } from "../../submit/kernel.ts";
import type { Tensor } from "../../tensor.ts";
import { range, startWgsl } from "./canonical.ts";
import { bindingsOf, type Problem, problemUniforms, uniformsOf } from "./problem.ts";

const ROWS = 32;
export const TILE_COLUMNS = 64;
const LANES = 8;

/** K-major matrices in groups of four elements: row k of matrix z starts at group `start + k * stride + z * batchStride`. */
export interface KMajor {
  readonly tensor: Tensor;
  readonly start: number;
  readonly stride: number;
  readonly batchStride: number;
}

const kernel = (): Kernel =>
  defineKernel("matmul_tile", () => {
    const tile = range(ROWS).flatMap((i) =>
      [0, 1].map((j) => ({ i, j, sum: `s${i}_${j}`, at: `total[${i * 2 + j}]` })),
    );
    const component = (i: number) => `subgroupBroadcast(rows.${"xyzw"[i % 4]}, ${i >> 2}u)`;
    return {
      reads: { a: "vec4f", b: "vec4f", bias: "f32" },
      writes: { out: "f32" },
      uniforms: { ...problemUniforms, bStart: "u32", bStride: "u32", aBatch: "u32", bBatch: "u32" },
      subgroups: true,
      code: /* wgsl */ `${startWgsl}
@compute @workgroup_size(${LANES})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let firstRow = group.y * ${ROWS}u;
  let firstColumn = group.x * ${TILE_COLUMNS}u + lane * 4u;
  let rowCount = min(${ROWS}u, P.m - firstRow);
  let aAt = group.z * P.aBatch + P.aColumn + min((firstRow >> 2u) + lane, ((P.m + 3u) >> 2u) - 1u);
  let last = ((P.n + 3u) >> 2u) - 1u;
  let bAt = group.z * P.bBatch + P.bStart + min(firstColumn >> 2u, last);
  let bNext = group.z * P.bBatch + P.bStart + min((firstColumn >> 2u) + ${LANES}u, last);
  let outAt = group.z * P.m * P.outStride + P.outColumn + firstRow * P.outStride + firstColumn;
  var total: array<vec4f, ${ROWS * 2}>;
  for (var i = 0u; P.initial != 0u && i < 2u * rowCount; i++) {
    let at = outAt + (i >> 1u) * P.outStride + (i & 1u) * 32u;
    let column = firstColumn + (i & 1u) * 32u;
    total[i] = vec4f(start(at, column), start(at + 1u, column + 1u), start(at + 2u, column + 2u), start(at + 3u, column + 3u));
  }
  ${tile.map(({ sum }) => `var ${sum} = vec4f();`).join(" ")}
  for (var first = 0u; first < P.k; first += P.block) {
    let end = min(P.k, first + P.block);
    for (var k = first; k < end; k++) {
      let rows = a[aAt + k * P.aStride];
      let b0 = b[bAt + k * P.bStride];
      let b1 = b[bNext + k * P.bStride];
      ${tile.map(({ i, j, sum }) => `${sum} = fma(vec4f(${component(i)}), b${j}, ${sum});`).join("\n      ")}
    }
    ${tile.map(({ sum, at }) => `${at} += ${sum}; ${sum} = vec4f();`).join("\n    ")}
  }
  for (var i = 0u; i < 2u * rowCount; i++) {
    let column = firstColumn + (i & 1u) * 32u;
    let at = outAt + (i >> 1u) * P.outStride + (i & 1u) * 32u;
    let value = total[i];
    if (column < P.n) { out[at] = value.x; }
    if (column + 1u < P.n) { out[at + 1u] = value.y; }
    if (column + 2u < P.n) { out[at + 2u] = value.z; }
    if (column + 3u < P.n) { out[at + 3u] = value.w; }
  }
}`,
    };
  });

/** Operands that are not stored as `a` and `b` say are packed first: `kMajor`. */
export function dispatchTile(device: Device, problem: Problem, a: KMajor, b: KMajor): void {
  const { batch, m, n } = problem;
  const packed = { ...problem, a: a.tensor, b: b.tensor, aColumns: { stride: a.stride, column: a.start } };
  device.dispatch(kernel(), {
    ...bindingsOf(packed),
    uniforms: [...uniformsOf(packed), b.start, b.stride, a.batchStride, b.batchStride],
    groups: [Math.ceil(n / TILE_COLUMNS), Math.ceil(m / ROWS), batch],
  });
}
