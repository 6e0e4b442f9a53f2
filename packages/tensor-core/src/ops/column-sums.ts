// Sums over the rows of a matrix, one per column, in one dispatch: rows in blocks whose sums are added ascending. A workgroup has some columns; its
// threads take a block each, round after round. On software adapters, where a barrier costs most, one thread takes all blocks of its columns.
import type { Device } from "../device/device.ts";
import { defineKernel, type Kernel, type StorageElement } from "../submit/kernel.ts";
import type { Tensor } from "../tensor.ts";

/** Columns, or fours of them, of a workgroup, and its blocks at once. */
const SHAPES = { serial: { columns: 8, blocks: 1 }, parallel: { columns: 4, blocks: 16 } } as const;
type Way = keyof typeof SHAPES;
/** Blocks whose sums are added up before they are added to the total. */
const CHAIN = 256;

export type ColumnSums = (wide: boolean, way: Way) => Kernel;

/** What is summed. */
interface Terms {
  readonly name: string;
  /** Names of matrices, and of other arrays with their elements. */
  readonly matrices: readonly string[];
  readonly others?: Readonly<Record<string, StorageElement>>;
  /** WGSL statements that take element `at`, in `row`, into `acc`. */
  readonly step: string;
  /** Rows of a block. */
  readonly block: number;
  /** Whether every block's sum is added to the total by itself. */
  readonly flat: boolean;
}

export function defineColumnSums({ name, matrices, others = {}, step, block, flat }: Terms): ColumnSums {
  return defineKernel((wide: boolean, way: Way) => {
    const V = wide ? "vec4f" : "f32";
    const { columns, blocks } = SHAPES[way];
    const together = /* wgsl */ `
    sums[local.y * ${columns}u + local.x] = acc;
    workgroupBarrier();
    let count = select(0u, min(${blocks}u, (P.rows - first + ${block - 1}u) / ${block}u), local.y == 0u);
    for (var i = 0u; i < count; i++) { chain = chain + sums[i * ${columns}u + local.x]; }
    workgroupBarrier();`;
    return {
      name: `${name}${wide ? "/vec4" : ""}${way === "serial" ? "/serial" : ""}`,
      reads: { ...Object.fromEntries(matrices.map((matrix) => [matrix, V] as const)), ...others },
      writes: { out: V },
      uniforms: { rows: "u32", width: "u32" },
      code: /* wgsl */ `
${way === "serial" ? "" : `var<workgroup> sums: array<${V}, ${columns * blocks}>;`}
@compute @workgroup_size(${columns}, ${blocks})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_id) local: vec3u) {
  let column = group.x * ${columns}u + local.x;
  var total = ${V}();
  var chain = ${V}();
  for (var first = 0u; first < P.rows; first += ${blocks * block}u) {
    let begin = first + local.y * ${block}u;
    let end = select(begin, min(begin + ${block}u, P.rows), column < P.width);
    var acc = ${V}();
    for (var row = begin; row < end; row++) {
      let at = row * P.width + column;
      ${step}
    }
    ${way === "serial" ? "chain = chain + acc;" : together}
    ${flat ? "" : `if ((first / ${block}u) % ${CHAIN}u == ${CHAIN - blocks}u) { total = total + chain; chain = ${V}(); }`}
  }
  if (local.y == 0u && column < P.width) { out[column] = total + chain; }
}`,
    };
  });
}

/** Records the sums over `rows` rows of `columns` columns. */
export function dispatchColumnSums(
  device: Device,
  kernel: ColumnSums,
  reads: readonly Tensor[],
  out: Tensor,
  [rows, columns]: readonly [number, number],
): void {
  const wide = columns % 4 === 0;
  const width = wide ? columns / 4 : columns;
  const way = device.facts.family === "software" ? "serial" : "parallel";
  device.dispatch(kernel(wide, way), {
    reads,
    writes: [out],
    uniforms: [rows, width],
    groups: [Math.ceil(width / SHAPES[way].columns)],
  });
}
