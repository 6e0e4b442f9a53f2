// Gradient kernels for real GPUs: tiles in workgroup memory, no subgroups.
import { defineKernel } from "../../submit/kernel.ts";
import { gradientReads, gradientWgsl } from "./gradient-wgsl.ts";
import { times } from "./text.ts";
import { tableWgsl, uniforms } from "./wgsl.ts";
import {
  ACROSS,
  accumulateText,
  fourRows,
  OTHERS,
  scoreText,
  stagingWgsl,
  threadsOf,
  weightsAt,
} from "./workgroup-text.ts";

const { m: _, ...reads } = gradientReads; // it is `b`, and for dv `f`

/**
 * dq, or `byKey` dk and dv: the queries that a tile of keys is read by are walked once for both. `rows`: of a tile. `columns`: vec4 columns of a
 * gradient that a thread holds, 1 for head dimensions up to 64, else 2.
 */
export const workgroupGradient = defineKernel((byKey: boolean, rows: number, columns: number) => {
  const rowText = (piece: (row: number) => string): string => times(4, piece);
  const columnText = (piece: (column: number) => string): string => times(columns, piece);
  const sums = byKey ? ["o", "p"] : ["o"]; // by gradients of scores, by probabilities
  const weigh = (component: string): string => `
    workgroupBarrier(); // nobody reads what lay there
${times(4, (j) => `    ${weightsAt(`across + ${j * ACROSS}u`, rows)} = ${fourRows((r) => `w${r}_${j}.${component}`)};`)}
    workgroupBarrier();`;
  const add = (sum: string, array: string): string =>
    accumulateText(sum, rows, columns, {
      array,
      start: "otherIndex(walk, at + j) * P.dim4",
      count: `min(${OTHERS}u, walk.end - at)`,
    });
  const own = "ownIndex(tile, group.z, min(i, tile.count - 1u)) * P.dim4";
  const other = "otherIndex(walk, min(at + j, walk.end - 1u)) * P.dim4";
  return {
    name: `attention_gradient${byKey ? "_by_key" : ""}/workgroup/rows${rows}/columns${columns}`,
    reads,
    writes: byKey ? { out: "vec4f", valueOut: "vec4f" } : { out: "vec4f" },
    uniforms,
    code: `${tableWgsl}${gradientWgsl}${stagingWgsl(rows)}
fn byKey() -> bool { return ${byKey}; }

@compute @workgroup_size(${threadsOf(rows)})
fn main(@builtin(workgroup_id) own: vec3u, @builtin(local_invocation_index) thread: u32) {
  let group = vec3u(own.x + P.groupsBefore, own.yz);
  let across = thread % ${ACROSS}u;
  let down = thread / ${ACROSS}u;
  let tile = tileAt(group, ${rows}u);
  if (tile.count == 0u) { return; }
${rowText(
  (r) => `
  let i${r} = min(down * 4u + ${r}u, tile.count - 1u);
  let own${r} = ownRow(tile, ownIndex(tile, group.z, i${r}), i${r});`,
)}
${sums.map((sum) => rowText((r) => columnText((c) => `  var ${sum}${r}_${c} = vec4f();`))).join("\n")}
  for (var w = tile.firstWalk; w < tile.endWalk; w++) {
    let walk = walkAt(tile, group.z, w);
    for (var at = walk.first; at < walk.end; at += ${OTHERS}u) {
${rowText((r) => times(4, (j) => `    var s${r}_${j} = 0.0; var e${r}_${j} = 0.0;`))}
    // Gradients of the weights, then the scores. The first turn is 0, but no constant: compilers would write the loop out, to twice the code.
    for (var turn = P.splits - 1u; turn < 2u; turn++) {
${scoreText(rows, { array: "a", start: own }, { array: "b", start: other }, { when: "turn == 0u", own: "c", other: "f" })}
      if (turn == 0u) {
${rowText((r) => times(4, (j) => `        e${r}_${j} = s${r}_${j}; s${r}_${j} = 0.0;`))}
      }
    }
${times(
  4,
  (j) => `    let j${j} = min(at + across + ${j * ACROSS}u, walk.end - 1u);
    var other${j} = otherRow(walk, otherIndex(walk, j${j}), j${j});
    if (at + across + ${j * ACROSS}u >= walk.end) { other${j}.limit = 0u; } // there is none: nobody sees it
${rowText((r) => `    let w${r}_${j} = weightsOf(s${r}_${j}, e${r}_${j}, own${r}, other${j});`)}`,
)}
${byKey ? weigh("x") + add("p", "f") : ""}
${weigh("y")}
${add("o", "b")}
    }
  }
${rowText(
  (r) => `  if (down * 4u + ${r}u < tile.count) {
    let index = ownIndex(tile, group.z, down * 4u + ${r}u) * P.dim4 + across;
${columnText(
  (c) => `    if (across + ${c * ACROSS}u < P.dim4) {
      out[index + ${c * ACROSS}u] = o${r}_${c};
      ${byKey ? `valueOut[index + ${c * ACROSS}u] = p${r}_${c};` : ""}
    }`,
)}
  }`,
)}
}`,
  };
});
