// Gradient kernel for software adapters, built as the forward one: lanes hold the tile's rows while weights are made, then columns of
// its gradient.
import { defineKernel } from "../../submit/kernel.ts";
import { gradientReads, gradientUniforms, gradientWgsl } from "./gradient-wgsl.ts";
import { broadcastRow, dot4, type SoftwareShape, times } from "./text.ts";
import { tableWgsl } from "./wgsl.ts";

/** Other rows that one pass over the head dimension takes. */
const STEP = 16;

export const softwareGradient = defineKernel((lanes: number, groups: number, columns: number) => {
  const shape: SoftwareShape = { lanes, groups, columns };
  const rows = lanes * groups;
  const loads = STEP / lanes;
  const products = (sum: string, own: string, other: string): string => `
${times(groups, (t) => `        let x${t} = ${own}${t}_own[d];`)}
${times(loads, (u) => `        let y${u} = ${other}[b${u} + d];`)}
${times(STEP, (j) => `        { let y = ${broadcastRow("y", j, shape)}; ${times(groups, (t) => dot4(`${sum}${j}_${t}`, "y", `x${t}`))} }`)}`;
  return {
    name: `attention_gradient/lanes${lanes}/rows${rows}/columns${columns}`,
    reads: gradientReads,
    writes: { out: "vec4f" },
    uniforms: gradientUniforms,
    subgroups: true,
    code: `${tableWgsl}${gradientWgsl}
fn byKey() -> bool { return P.byKey != 0u; }
fn weightOf(score: f32, error: f32, own: Row, other: Row) -> f32 {
  let weights = weightsOf(score, error, own, other);
  return select(weights.x, weights.y, P.withoutErrors == 0u);
}

@compute @workgroup_size(${lanes})
fn main(@builtin(workgroup_id) own: vec3u, @builtin(local_invocation_index) lane: u32) {
  let group = vec3u(own.x + P.groupsBefore, own.yz);
  let tile = tileAt(group, ${rows}u);
  if (tile.count == 0u) { return; }
${times(
  groups,
  (t) => `
  let i${t} = min(${t * lanes}u + lane, tile.count - 1u);
  let index${t} = ownIndex(tile, group.z, i${t});
  let own${t} = ownRow(tile, index${t}, i${t});
  let a${t} = index${t} * P.dim4;
  var weights${t}: array<f32, ${STEP}>;
  var a${t}_own: array<vec4f, ${lanes * columns}>;
  var c${t}_own: array<vec4f, ${lanes * columns}>;
  for (var d = 0u; d < P.dim4; d++) { a${t}_own[d] = a[a${t} + d]; c${t}_own[d] = c[a${t} + d]; }`,
)}
${times(columns, (x) => `  let column${x} = min(lane + ${x * lanes}u, P.dim4 - 1u);`)}
${times(rows, (i) => times(columns, (x) => `  var o${i}_${x} = vec4f();`))}
  for (var w = tile.firstWalk; w < tile.endWalk; w++) {
    let walk = walkAt(tile, group.z, w);
    for (var at = walk.first; at < walk.end; at += ${STEP}u) {
${times(
  loads,
  (u) => `
      let j${u} = min(at + ${u * lanes}u + lane, walk.end - 1u);
      let index${u} = otherIndex(walk, j${u});
      let other${u} = otherRow(walk, index${u}, j${u});
      let b${u} = index${u} * P.dim4;`,
)}
${times(STEP, (j) => times(groups, (t) => `      var s${j}_${t} = 0.0; var e${j}_${t} = 0.0;`))}
      for (var d = 0u; d < P.dim4; d++) {${products("s", "a", "b")}
      }
      for (var d = 0u; d < select(P.dim4, 0u, P.withoutErrors != 0u); d++) {${products("e", "c", "f")}
      }
${times(STEP, (j) => {
  const of = (field: string) => broadcastRow("other", j, shape, field);
  return `      { let other = Row(${of(".key")}, ${of(".limit")}, ${of(".stats")});
${times(groups, (t) => `        weights${t}[${j}] = weightOf(s${j}_${t}, e${j}_${t}, own${t}, other);`)} }`;
})}
      for (var j = 0u; j < min(${STEP}u, walk.end - at); j++) {
        let index = otherIndex(walk, at + j) * P.dim4;
${times(columns, (x) => `        let m${x} = m[index + column${x}];`)}
${times(groups, (t) => `        let w${t} = weights${t}[j];`)}
${times(rows, (i) => `        { let w = vec4f(${broadcastRow("w", i, shape)}); ${times(columns, (x) => `o${i}_${x} = fma(w, m${x}, o${i}_${x});`)} }`)}
      }
    }
  }
  for (var i = 0u; i < tile.count; i++) {
    let index = ownIndex(tile, group.z, i) * P.dim4 + lane;
${times(columns, (x) => `    var x${x} = o0_${x};`)}
${times(rows - 1, (i) => `    if (i == ${i + 1}u) { ${times(columns, (x) => `x${x} = o${i + 1}_${x};`)} }`)}
${times(columns, (x) => `    if (lane + ${x * lanes}u < P.dim4) { out[index + ${x * lanes}u] = x${x}; }`)}
  }
}`,
  };
});
