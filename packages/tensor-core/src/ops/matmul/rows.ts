// Software adapters, few rows (decoding) against a weight [n, k]: bound by reading the weight, which is read once per 8 rows.
// A lane keeps several columns; the lanes together load the rows' next values of a, which reach all of them by broadcast.
import type { Device } from "../../device/device.ts";
import { defineKernel } from "../../submit/kernel.ts";
import { range, startWgsl } from "./canonical.ts";
import { type FinishKind, finishCall, finishText } from "./finish.ts";
import { bindingsOf, type Problem, type ProblemShape, problemUniforms, uniformsOf } from "./problem.ts";

const LANES = 8;
/** Columns per lane: more spill out of registers, fewer share a load of a among too few. */
const PER_LANE = 4;

interface Shape {
  readonly bf16: boolean;
  /** Rows of a per workgroup: 2, 4 or 8. */
  readonly rows: number;
}

/**
 * Arithmetic of rows that are not there costs as much, so as few as hold m; but two of f32 wait for memory as long as four. More where k is no whole
 * number of their steps.
 */
function shapeOf({ b, m, k }: ProblemShape): Shape {
  const bf16 = b.dtype === "bf16";
  const rows = (bf16 ? [2, 4] : [4]).find((count) => m <= count && k % stepOf({ bf16, rows: count }) === 0) ?? 8;
  return { bf16, rows };
}

/** Elements of k per step: whole loads of a (four times 8 / rows) and of b (four, or eight bf16). */
const stepOf = ({ bf16, rows }: Shape): number => Math.max(bf16 ? 8 : 4, (4 * LANES) / rows);

/** Whether rows of a and b begin at whole steps. */
export function fitsRows(problem: ProblemShape): boolean {
  const { k, aColumns } = problem;
  return k % stepOf(shapeOf(problem)) === 0 && aColumns.stride % 4 === 0 && aColumns.column % 4 === 0;
}

const kernel = defineKernel((bf16: boolean, rows: number, finish: FinishKind) => {
  const finishing = finishText(finish);
  const step = stepOf({ bf16, rows });
  const quads = range(step / 4);
  const columns = range(PER_LANE);
  const perLoad = LANES / rows;
  const cells = range(rows).flatMap((i) =>
    columns.map((j) => ({ sum: `s${i}_${j}`, at: `total[${i * PER_LANE + j}]` })),
  );
  const x = (i: number, q: number) => `subgroupBroadcast(a${Math.floor(q / perLoad)}, ${(q % perLoad) * rows + i}u)`;
  const value = (j: number, q: number) => (bf16 ? widened(j, q) : `b[at${j} + k / 4u + ${q}u]`);
  const advance = (i: number, j: number, q: number) =>
    `s${i}_${j} = ${[..."xyzw"].reduce((sum, c) => `fma(x.${c}, b${j}_${q}.${c}, ${sum})`, `s${i}_${j}`)};`;
  // Quad by quad, as few registers as can be at a time.
  const body = [
    ...range(quads.length / perLoad).map((load) => `let a${load} = a[aAt + k / 4u + ${load * perLoad}u];`),
    ...quads.flatMap((q) => [
      ...(bf16 && q % 2 === 0 ? columns.map((j) => `let w${j}_${q / 2} = b[at${j} + k / 8u + ${q / 2}u];`) : []),
      ...columns.map((j) => `let b${j}_${q} = ${value(j, q)};`),
      ...range(rows).map((i) => `{ let x = ${x(i, q)}; ${columns.map((j) => advance(i, j, q)).join(" ")} }`),
    ]),
  ];
  return {
    name: `matmul_rows/${rows}${bf16 ? "/bf16" : ""}${finish && `/${finish}`}`,
    reads: { a: "vec4f", b: bf16 ? "vec4u" : "vec4f", bias: "f32", ...finishing.reads },
    writes: { out: "f32" },
    uniforms: { ...problemUniforms, ...finishing.uniforms },
    subgroups: true,
    code: /* wgsl */ `${startWgsl}${finishing.code}
@compute @workgroup_size(${LANES})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let firstRow = group.y * ${rows}u;
  let firstColumn = group.x * ${LANES * PER_LANE}u + lane;
  let rowCount = min(${rows}u, P.m - firstRow);
  let aRow = min(firstRow + lane % ${rows}u, P.m - 1u);
  let aAt = (group.z * P.m * P.k + aRow * P.aStride + P.aColumn) / 4u + lane / ${rows}u;
  ${columns.map((j) => `let at${j} = (group.z * P.n + min(firstColumn + ${j * LANES}u, P.n - 1u)) * (P.k / ${bf16 ? 8 : 4}u);`).join("\n  ")}
  let outAt = group.z * P.m * P.outStride + P.outColumn + firstRow * P.outStride + firstColumn;
  var total: array<f32, ${cells.length}>;
  for (var i = 0u; P.initial != 0u && i < ${PER_LANE}u * rowCount; i++) {
    let column = (i % ${PER_LANE}u) * ${LANES}u;
    if (firstColumn + column < P.n) { total[i] = start(outAt + (i / ${PER_LANE}u) * P.outStride + column, firstColumn + column); }
  }
  ${cells.map(({ sum }) => `var ${sum} = 0.0;`).join(" ")}
  for (var first = 0u; first < P.k; first += P.block) {
    let end = min(P.k, first + P.block);
    for (var k = first; k < end; k += ${step}u) {
      ${body.join("\n      ")}
    }
    ${cells.map(({ sum, at }) => `${at} += ${sum}; ${sum} = 0.0;`).join("\n    ")}
  }
  for (var i = 0u; i < ${PER_LANE}u * rowCount; i++) {
    let column = (i % ${PER_LANE}u) * ${LANES}u;
    let at = outAt + (i / ${PER_LANE}u) * P.outStride + column;
    if (firstColumn + column < P.n) { out[at] = finish(at, firstRow + i / ${PER_LANE}u, firstColumn + column, total[i]); }
  }
}`,
  };
});

/** Four of the bf16 in column j's words: a pair's even element is the low half of its word. */
function widened(j: number, quad: number): string {
  const words = quad % 2 === 0 ? ["x", "y"] : ["z", "w"];
  const word = `w${j}_${Math.floor(quad / 2)}`;
  return `bitcast<vec4f>(vec4u(${words.flatMap((c) => [`${word}.${c} << 16u`, `${word}.${c} & 0xffff0000u`]).join(", ")}))`;
}

export function dispatchRows(device: Device, problem: Problem): void {
  const { batch, m, n } = problem;
  const shape = shapeOf(problem);
  const { reads, writes } = bindingsOf(problem);
  const finishing = finishCall(problem);
  device.dispatch(kernel(shape.bf16, shape.rows, finishing.kind), {
    reads: [...reads, ...finishing.reads],
    writes,
    uniforms: [...uniformsOf(problem), ...finishing.uniforms],
    groups: [Math.ceil(n / (LANES * PER_LANE)), Math.ceil(m / shape.rows), batch],
  });
}
