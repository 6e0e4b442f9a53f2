// Software adapters, few rows (decoding) against a weight [n, k]: bound by reading the weight, which is read once per 8 rows.
// A lane keeps 4 columns; it loads one row's next values of a, which reach the other lanes by broadcast.
import type { Device } from "../../device/device.ts";
import { defineKernel, type Kernel } from "../../submit/kernel.ts";
import { K_BLOCK, problemUniforms, range } from "./canonical.ts";
import type { Problem } from "./dispatch.ts";

const LANES = 8;
const ROWS = 8;
const PER_LANE = 4;
const COLUMNS = LANES * PER_LANE;

/** Elements of k that one step takes: a load of b. */
export const rowsStep = (bf16: boolean): number => (bf16 ? 8 : 4);

function kernel(bf16: boolean): Kernel {
  return defineKernel(`matmul_rows${bf16 ? "/bf16" : ""}`, () => {
    const cells = range(ROWS).flatMap((i) =>
      range(PER_LANE).map((j) => ({ i, j, sum: `s${i}_${j}`, at: `total[${i * PER_LANE + j}]` })),
    );
    const quads = bf16 ? [0, 1] : [0];
    const halves = ["<< 16u", "& 0xffff0000u"];
    const loads = range(PER_LANE).map((j) =>
      bf16
        ? `let w${j} = b[b${j}At + k / 8u];
      let b${j}_0 = bitcast<vec4f>(vec4u(${["x", "y"].flatMap((c) => halves.map((h) => `w${j}.${c} ${h}`)).join(", ")}));
      let b${j}_1 = bitcast<vec4f>(vec4u(${["z", "w"].flatMap((c) => halves.map((h) => `w${j}.${c} ${h}`)).join(", ")}));`
        : `let b${j}_0 = b[b${j}At + k / 4u];`,
    );
    return {
      reads: { a: "vec4f", b: bf16 ? "vec4u" : "vec4f", bias: "f32" },
      writes: { out: "f32" },
      uniforms: problemUniforms,
      subgroups: true,
      code: /* wgsl */ `
@compute @workgroup_size(${LANES})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let firstRow = group.y * ${ROWS}u;
  let firstColumn = group.x * ${COLUMNS}u + lane;
  let rowCount = min(${ROWS}u, P.m - firstRow);
  let aAt = (group.z * P.m * P.k + min(firstRow + lane, P.m - 1u) * P.aStride + P.aColumn) / 4u;
  ${range(PER_LANE)
    .map(
      (j) => `let b${j}At = (group.z * P.n + min(firstColumn + ${j * LANES}u, P.n - 1u)) * (P.k / ${rowsStep(bf16)}u);`,
    )
    .join("\n  ")}
  let outAt = group.z * P.m * P.n + P.outColumn + firstRow * P.outStride + firstColumn;
  var total: array<f32, ${ROWS * PER_LANE}>;
  for (var i = 0u; P.initial != 0u && i < ${PER_LANE}u * rowCount; i++) {
    let column = (i & ${PER_LANE - 1}u) * ${LANES}u;
    if (firstColumn + column < P.n) {
      if ((P.initial & 1u) != 0u) { total[i] = out[outAt + (i / ${PER_LANE}u) * P.outStride + column]; }
      if ((P.initial & 2u) != 0u) { total[i] += bias[P.biasStart + firstColumn + column]; }
    }
  }
  ${cells.map(({ sum }) => `var ${sum} = 0.0;`).join(" ")}
  for (var first = 0u; first < P.k; first += ${K_BLOCK}u) {
    let end = min(P.k, first + ${K_BLOCK}u);
    for (var k = first; k < end; k += ${rowsStep(bf16)}u) {
      ${quads.map((q) => `let a${q} = a[aAt + k / 4u + ${q}u];`).join("\n      ")}
      ${loads.join("\n      ")}
      ${quads
        .flatMap((q) =>
          range(ROWS).map(
            (i) =>
              `{ let x = subgroupBroadcast(a${q}, ${i}u); ${range(PER_LANE)
                .map(
                  (j) =>
                    `s${i}_${j} = ${[..."xyzw"].reduce((sum, c) => `fma(x.${c}, b${j}_${q}.${c}, ${sum})`, `s${i}_${j}`)};`,
                )
                .join(" ")} }`,
          ),
        )
        .join("\n      ")}
    }
    ${cells.map(({ sum, at }) => `${at} += ${sum}; ${sum} = 0.0;`).join("\n    ")}
  }
  for (var i = 0u; i < ${PER_LANE}u * rowCount; i++) {
    let column = (i & ${PER_LANE - 1}u) * ${LANES}u;
    if (firstColumn + column < P.n) { out[outAt + (i / ${PER_LANE}u) * P.outStride + column] = total[i]; }
  }
}`,
    };
  });
}

export function dispatchRows(device: Device, problem: Problem): void {
  const { a, b, out, bias, biasStart, batch, m, n, k, aColumns, outColumns, initial } = problem;
  device.dispatch(kernel(b.dtype === "bf16"), {
    reads: [a, b, bias ?? a],
    writes: [out],
    uniforms: [m, n, k, aColumns.stride, aColumns.column, outColumns.stride, outColumns.column, biasStart, initial],
    groups: [Math.ceil(n / COLUMNS), Math.ceil(m / ROWS), batch],
  });
}
