// Sums over the rows of a matrix, one per column, in one dispatch: rows in blocks whose sums are added ascending. A workgroup has some columns; its
// threads take a block each, round after round.
import type { Device } from "../device/device.ts";
import { defineKernel, type Kernel, type StorageElement } from "../submit/kernel.ts";
import type { Tensor } from "../tensor.ts";

const COLUMNS = 4;
const BLOCKS = 16;
/** Blocks whose sums are added up before they are added to the total. */
const CHAIN = 256;

/** What is summed: WGSL from `acc`, `row` and `at`, which is where the element lies, to the next `acc`. */
interface Terms {
  readonly name: string;
  /** Names of matrices, and of other arrays with their elements. */
  readonly matrices: readonly string[];
  readonly others?: Readonly<Record<string, StorageElement>>;
  readonly step: string;
  /** Rows of a block. */
  readonly block: number;
  /** Whether every block's sum is added to the total by itself. */
  readonly flat: boolean;
}

export function defineColumnSums({ name, matrices, others = {}, step, block, flat }: Terms): (wide: boolean) => Kernel {
  return defineKernel((wide: boolean) => {
    const V = wide ? "vec4f" : "f32";
    return {
      name: `${name}${wide ? "/vec4" : ""}`,
      reads: { ...Object.fromEntries(matrices.map((matrix) => [matrix, V] as const)), ...others },
      writes: { out: V },
      uniforms: { rows: "u32", width: "u32" },
      code: /* wgsl */ `
var<workgroup> sums: array<${V}, ${COLUMNS * BLOCKS}>;
@compute @workgroup_size(${COLUMNS}, ${BLOCKS})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_id) local: vec3u) {
  let column = group.x * ${COLUMNS}u + local.x;
  var total = ${V}();
  var chain = ${V}();
  for (var first = 0u; first < P.rows; first += ${BLOCKS * block}u) {
    let begin = first + local.y * ${block}u;
    let end = select(begin, min(begin + ${block}u, P.rows), column < P.width);
    var acc = ${V}();
    for (var row = begin; row < end; row++) {
      let at = row * P.width + column;
      acc = ${step};
    }
    sums[local.y * ${COLUMNS}u + local.x] = acc;
    workgroupBarrier();
    if (local.y == 0u) {
      let blocks = min(${BLOCKS}u, (P.rows - first + ${block - 1}u) / ${block}u);
      for (var i = 0u; i < blocks; i++) { chain = chain + sums[i * ${COLUMNS}u + local.x]; }
      ${flat ? "" : `if ((first / ${block}u) % ${CHAIN}u == ${CHAIN - BLOCKS}u) { total = total + chain; chain = ${V}(); }`}
    }
    workgroupBarrier();
  }
  if (local.y == 0u && column < P.width) { out[column] = total + chain; }
}`,
    };
  });
}

/** Records the sums over `rows` rows of `columns` columns. */
export function dispatchColumnSums(
  device: Device,
  kernel: (wide: boolean) => Kernel,
  reads: readonly Tensor[],
  out: Tensor,
  [rows, columns]: readonly [number, number],
): void {
  const wide = columns % 4 === 0;
  const width = wide ? columns / 4 : columns;
  device.dispatch(kernel(wide), {
    reads,
    writes: [out],
    uniforms: [rows, width],
    groups: [Math.ceil(width / COLUMNS)],
  });
}
