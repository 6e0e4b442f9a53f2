// Software adapters, large products: a 32 x 64 tile of registers per subgroup, from operands that are stored K-major.
// A lane loads four rows of a and two times four columns of b per k; a's values reach the other lanes by broadcast.
// Loads cost most here (each lane's is bounds-checked by itself), then code size (compile time): hence the tile's shape, and totals
// and stores in a private array that one small loop walks.
import type { Device } from "../../device/device.ts";
import { defineKernel, type Kernel } from "../../submit/kernel.ts";
import type { Tensor } from "../../tensor.ts";
import { K_BLOCK, problemUniforms, range } from "./canonical.ts";
import type { Problem } from "./dispatch.ts";

const ROWS = 32;
const COLUMNS = 64;
const LANES = 8;

/** A matrix of 4-element groups, K-major: row k starts at group `k * stride`, and the matrix at `start` of it. */
export interface KMajor {
  readonly tensor: Tensor;
  readonly stride: number;
  readonly start: number;
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
      uniforms: { ...problemUniforms, bStride: "u32", aBatch: "u32", bBatch: "u32" },
      subgroups: true,
      code: /* wgsl */ `
@compute @workgroup_size(${LANES})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let firstRow = group.y * ${ROWS}u;
  let firstColumn = group.x * ${COLUMNS}u + lane * 4u;
  let rowCount = min(${ROWS}u, P.m - firstRow);
  let aAt = group.z * P.aBatch + P.aColumn + min((firstRow >> 2u) + lane, ((P.m + 3u) >> 2u) - 1u);
  let last = ((P.n + 3u) >> 2u) - 1u;
  let bAt = group.z * P.bBatch + min(firstColumn >> 2u, last);
  let bNext = group.z * P.bBatch + min((firstColumn >> 2u) + ${LANES}u, last);
  let outAt = group.z * P.m * P.n + P.outColumn + firstRow * P.outStride + firstColumn;
  var total: array<vec4f, ${ROWS * 2}>;
  for (var i = 0u; P.initial != 0u && i < 2u * rowCount; i++) {
    for (var c = 0u; c < 4u; c++) {
      let column = (i & 1u) * 32u + c;
      if (firstColumn + column < P.n) {
        if ((P.initial & 1u) != 0u) { total[i][c] = out[outAt + (i >> 1u) * P.outStride + column]; }
        if ((P.initial & 2u) != 0u) { total[i][c] += bias[P.biasStart + firstColumn + column]; }
      }
    }
  }
  ${tile.map(({ sum }) => `var ${sum} = vec4f();`).join(" ")}
  for (var first = 0u; first < P.k; first += ${K_BLOCK}u) {
    let end = min(P.k, first + ${K_BLOCK}u);
    for (var k = first; k < end; k++) {
      let rows = a[aAt + k * P.aStride];
      let b0 = b[bAt + k * P.bStride];
      let b1 = b[bNext + k * P.bStride];
      ${tile.map(({ i, j, sum }) => `${sum} = fma(vec4f(${component(i)}), b${j}, ${sum});`).join("\n      ")}
    }
    ${tile.map(({ sum, at }) => `${at} += ${sum}; ${sum} = vec4f();`).join("\n    ")}
  }
  for (var i = 0u; i < 2u * rowCount; i++) {
    for (var c = 0u; c < 4u; c++) {
      let column = (i & 1u) * 32u + c;
      if (firstColumn + column < P.n) { out[outAt + (i >> 1u) * P.outStride + column] = total[i][c]; }
    }
  }
}`,
    };
  });

/** Whether the operands may be used as they are: rows of whole groups of four. */
export function dispatchTile(device: Device, problem: Problem, a: KMajor, b: KMajor): void {
  const { out, bias, biasStart, batch, m, n, k, outColumns, initial } = problem;
  device.dispatch(kernel(), {
    reads: [a.tensor, b.tensor, bias ?? a.tensor],
    writes: [out],
    uniforms: [
      ...[m, n, k, a.stride, a.start, outColumns.stride, outColumns.column, biasStart, initial],
      ...[b.stride, a.stride * k, b.stride * k],
    ],
    groups: [Math.ceil(n / COLUMNS), Math.ceil(m / ROWS), batch],
  });
}
