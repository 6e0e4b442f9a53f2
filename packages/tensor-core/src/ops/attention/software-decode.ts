// Forward kernel for software adapters where a tile has few rows, as in decoding: lanes hold keys while scores are made, then columns
// of the output. Same order of sums, and same bits, as the kernel for many rows.
import { defineKernel } from "../../submit/kernel.ts";
import { forwardBindings, forwardWgsl } from "./forward-wgsl.ts";
import { BLOCK } from "./plan.ts";
import { dot4, softwareForwardStart, times } from "./text.ts";
import { tableWgsl } from "./wgsl.ts";

/** A tile of at most `rows` rows; each lane holds `columns` vec4 of every output row. */
export const softwareDecode = defineKernel((lanes: number, rows: number, columns: number) => {
  const rowText = (piece: (row: number) => string): string => times(rows, piece);
  const columnText = (piece: (column: number) => string): string => times(columns, piece);
  return {
    name: `attention_decode/lanes${lanes}/rows${rows}/columns${columns}`,
    ...forwardBindings,
    subgroups: true,
    code: `${tableWgsl}${forwardWgsl}${softwareForwardStart(lanes, rows, columns)}
${rowText(
  (r) => `
  let row${r} = pairRow(tile, group.z, min(${r}u, tile.count - 1u));
  let limit${r} = visibleToPair(tile, min(${r}u, tile.count - 1u));
  var top${r} = NONE; var sum${r} = 0.0;
${columnText((c) => `  let q${r}_${c} = q[row${r} * P.dim4 + column${c}];`)}
  var scores${r}: array<f32, ${BLOCK / lanes}>;`,
)}
  for (var block = range.first; block < range.end; block += BLOCK) {
    let count = min(BLOCK, range.end - block);
${rowText((r) => `    var laneTop${r} = NONE; var blockSum${r} = 0.0;`)}
    for (var step = 0u; step * ${lanes}u < count; step++) {
      let key = block + step * ${lanes}u + lane;
      let at = (keyRow(s, min(key, range.end - 1u)) * P.kvHeads + group.z) * P.dim4;
${rowText((r) => `      var s${r} = 0.0;`)}
${columnText(
  (c) => `      for (var d = 0u; d < min(${lanes}u, P.dim4 - ${c * lanes}u); d++) {
        let b = k[at + ${c * lanes}u + d];
${rowText((r) => `        { let a = subgroupShuffle(q${r}_${c}, d); ${dot4(`s${r}`, "b", "a")} }`)}
      }`,
)}
${rowText((r) => `      s${r} = select(NONE, s${r} * P.scale, key < limit${r}); laneTop${r} = max(laneTop${r}, s${r}); scores${r}[step] = s${r};`)}
    }
${rowText((r) => `    let blockTop${r} = subgroupMax(laneTop${r});`)}
${rowText((r) => columnText((c) => `    var p${r}_${c} = vec4f();`))}
    for (var step = 0u; step * ${lanes}u < count; step++) {
${rowText((r) => `      let weights${r} = weight(scores${r}[step], blockTop${r});`)}
      for (var j = 0u; j < min(${lanes}u, count - step * ${lanes}u); j++) {
        let at = (keyRow(s, block + step * ${lanes}u + j) * P.kvHeads + group.z) * P.dim4;
${columnText((c) => `        let v${c} = v[at + column${c}];`)}
${rowText((r) => `        { let w = subgroupShuffle(weights${r}, j); blockSum${r} += w; ${columnText((c) => `p${r}_${c} = fma(vec4f(w), v${c}, p${r}_${c});`)} }`)}
      }
    }
${rowText(
  (r) => `    { let m = merge(top${r}, blockTop${r}); top${r} = m.top; sum${r} = join(sum${r}, blockSum${r}, m);
${columnText((c) => `    o${r}_${c} = join4(o${r}_${c}, p${r}_${c}, m);`)} }`,
)}
  }
  for (var i = 0u; i < tile.count; i++) {
    var row = row0; var top = top0; var sum = sum0;
${columnText((c) => `    var x${c} = o0_${c};`)}
${times(rows - 1, (j) => `    if (i == ${j + 1}u) { row = row${j + 1}; top = top${j + 1}; sum = sum${j + 1}; ${columnText((c) => `x${c} = o${j + 1}_${c};`)} }`)}
    if (lane == 0u) { finishRow(group.x, row, top, sum); }
    let at = finishIndex(group.x, row) * P.dim4 + lane;
${columnText((c) => `    if (lane + ${c * lanes}u < P.dim4) { out[at + ${c * lanes}u] = finish4(x${c}, sum); }`)}
  }
}`,
  };
});
