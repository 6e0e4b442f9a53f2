// Forward kernel for real GPUs: tiles in workgroup memory, no subgroups; at most 7 KiB for 16 rows, so that a card runs many workgroups at once.
import { defineKernel } from "../../submit/kernel.ts";
import { forwardBindings, forwardWgsl } from "./forward-wgsl.ts";
import { times } from "./text.ts";
import { tableWgsl } from "./wgsl.ts";
import {
  ACROSS,
  accumulateText,
  component,
  fourRows,
  OTHERS,
  scoreText,
  stagingWgsl,
  threadsOf,
  weightsAt,
} from "./workgroup-text.ts";

/** `rows`: of a tile. `columns`: vec4 columns of the output that a thread holds, 1 for head dimensions up to 64, else 2. */
export const workgroupForward = defineKernel((rows: number, columns: number) => {
  const rowText = (piece: (row: number) => string): string => times(4, piece);
  const columnText = (piece: (column: number) => string): string => times(columns, piece);
  return {
    name: `attention_forward/workgroup/rows${rows}/columns${columns}`,
    ...forwardBindings,
    code: `${tableWgsl}${forwardWgsl}${stagingWgsl(rows)}
@compute @workgroup_size(${threadsOf(rows)})
fn main(@builtin(workgroup_id) own: vec3u, @builtin(local_invocation_index) thread: u32) {
  let group = vec3u(own.x + P.groupsBefore, own.yz);
  let across = thread % ${ACROSS}u;
  let down = thread / ${ACROSS}u;
  let tile = queryTile(group.x / P.splits, group.y, ${rows}u);
  if (tile.count == 0u) { return; }
  let s = tile.segment;
  let range = blocksOf(group.x, visibleToPair(tile, tile.count - 1u));
${rowText((r) => `  let limit${r} = visibleToPair(tile, min(down * 4u + ${r}u, tile.count - 1u)); var top${r} = NONE; var sum${r} = 0.0;`)}
${rowText((r) => columnText((c) => `  var o${r}_${c} = vec4f();`))}
  for (var block = range.first; block < range.end; block += BLOCK) {
${rowText((r) => times(4, (j) => `    var s${r}_${j} = 0.0;`))}
${scoreText(
  rows,
  { array: "q", start: "pairRow(tile, group.z, min(i, tile.count - 1u)) * P.dim4" },
  { array: "k", start: "(keyRow(s, min(block + j, range.end - 1u)) * P.kvHeads + group.z) * P.dim4" },
)}
${rowText((r) => times(4, (j) => `    s${r}_${j} = select(NONE, s${r}_${j} * P.scale, block + across + ${j * ACROSS}u < limit${r});`))}
    workgroupBarrier(); // nobody reads the chunk any more
    owns[thread] = ${fourRows((r) => `max(max(s${r}_0, s${r}_1), max(s${r}_2, s${r}_3))`)};
    workgroupBarrier();
    var blockTop = vec4f(NONE);
    for (var i = 0u; i < ${ACROSS}u; i++) { blockTop = max(blockTop, owns[down * ${ACROSS}u + i]); }
${times(4, (j) => `    ${weightsAt(`across + ${j * ACROSS}u`, rows)} = ${fourRows((r) => `weight(s${r}_${j}, blockTop.${component[r]})`)};`)}
    workgroupBarrier();
    var blockSum = vec4f();
${rowText((r) => columnText((c) => `    var p${r}_${c} = vec4f();`))}
${accumulateText("p", rows, columns, {
  array: "v",
  start: "(keyRow(s, block + j) * P.kvHeads + group.z) * P.dim4",
  count: `min(${OTHERS}u, range.end - block)`,
  each: "blockSum += w;",
})}
${rowText(
  (r) => `    { let block = vec2f(blockTop.${component[r]}, blockSum.${component[r]});
    let m = merge(top${r}, block.x); top${r} = m.top; sum${r} = join(sum${r}, block.y, m);
${columnText((c) => `    o${r}_${c} = join4(o${r}_${c}, p${r}_${c}, m);`)} }`,
)}
  }
${rowText(
  (r) => `  if (down * 4u + ${r}u < tile.count) {
    let row = pairRow(tile, group.z, down * 4u + ${r}u);
    if (across == 0u) { finishRow(group.x, row, top${r}, sum${r}); }
    let at = finishIndex(group.x, row) * P.dim4 + across;
${columnText((c) => `    if (across + ${c * ACROSS}u < P.dim4) { out[at + ${c * ACROSS}u] = finish4(o${r}_${c}, sum${r}); }`)}
  }`,
)}
}`,
  };
});
