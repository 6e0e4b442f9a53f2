// Gradient kernel for real GPUs: tiles in workgroup memory, no subgroups.
import { defineKernel } from "../../submit/kernel.ts";
import { gradientReads, gradientUniforms, gradientWgsl } from "./gradient-wgsl.ts";
import { times } from "./text.ts";
import { tableWgsl } from "./wgsl.ts";
import { ACROSS, accumulateText, fourRows, OTHERS, ROWS, scoreText, stagingWgsl, THREADS } from "./workgroup-text.ts";

/** `columns`: vec4 columns of the gradient that a thread holds, 1 for head dimensions up to 64, else 2. */
export const workgroupGradient = defineKernel((columns: number) => {
  const rowText = (piece: (row: number) => string): string => times(4, piece);
  const columnText = (piece: (column: number) => string): string => times(columns, piece);
  const cells = (piece: (row: number, other: number) => string): string => rowText((r) => times(4, (j) => piece(r, j)));
  return {
    name: `attention_gradient/workgroup/columns${columns}`,
    reads: gradientReads,
    writes: { out: "vec4f" },
    uniforms: gradientUniforms,
    code: `${tableWgsl}${gradientWgsl}${stagingWgsl}
fn ownValue(errors: bool, at: u32) -> vec4f { if (errors) { return c[at]; } return a[at]; }
fn otherValue(errors: bool, at: u32) -> vec4f { if (errors) { return f[at]; } return b[at]; }

@compute @workgroup_size(${THREADS})
fn main(@builtin(workgroup_id) own: vec3u, @builtin(local_invocation_index) thread: u32) {
  let group = vec3u(own.x + P.groupsBefore, own.yz);
  let across = thread % ${ACROSS}u;
  let down = thread / ${ACROSS}u;
  let tile = tileAt(group, ${ROWS}u);
  if (tile.count == 0u) { return; }
${rowText(
  (r) => `
  let i${r} = min(down * 4u + ${r}u, tile.count - 1u);
  let own${r} = ownRow(tile, ownIndex(tile, group.z, i${r}), i${r});`,
)}
${rowText((r) => columnText((c) => `  var o${r}_${c} = vec4f();`))}
  for (var w = tile.firstWalk; w < tile.endWalk; w++) {
    let walk = walkAt(tile, group.z, w);
    for (var at = walk.first; at < walk.end; at += ${OTHERS}u) {
${cells((r, j) => `    var s${r}_${j} = 0.0; var e${r}_${j} = 0.0;`)}
    for (var turn = P.withoutErrors; turn < 2u; turn++) { // gradients of the weights, then the scores
      let errors = turn == 0u;
${scoreText({
  own: "ownValue(errors, ownIndex(tile, group.z, min(i, tile.count - 1u)) * P.dim4 + column)",
  other: "otherValue(errors, otherIndex(walk, min(at + j, walk.end - 1u)) * P.dim4 + column)",
})}
      if (errors) {
${cells((r, j) => `        e${r}_${j} = s${r}_${j}; s${r}_${j} = 0.0;`)}
      }
    }
    workgroupBarrier(); // nobody reads the chunk any more
${times(
  4,
  (j) => `    { let j = min(at + across + ${j * ACROSS}u, walk.end - 1u);
    let other = otherRow(walk, otherIndex(walk, j), j);
    others[(across + ${j * ACROSS}u) * 4u + down] = ${fourRows((r) => `weightOf(s${r}_${j}, e${r}_${j}, own${r}, other)`)}; }`,
)}
    workgroupBarrier();
${accumulateText("o", columns, "m", "otherIndex(walk, at + j) * P.dim4", `min(${OTHERS}u, walk.end - at)`)}
    }
  }
${rowText(
  (r) => `  if (down * 4u + ${r}u < tile.count) {
    let index = ownIndex(tile, group.z, down * 4u + ${r}u) * P.dim4 + across;
${columnText((c) => `    if (across + ${c * ACROSS}u < P.dim4) { out[index + ${c * ACROSS}u] = o${r}_${c}; }`)}
  }`,
)}
}`,
  };
});
