// Forward kernel for software adapters: a workgroup is one subgroup; lanes hold query rows while scores are made, then columns of
// the output. A lane hands its own scores to itself through a private array, so there is no barrier.
import { defineKernel } from "../../submit/kernel.ts";
import { forwardBindings, forwardWgsl } from "./forward-wgsl.ts";
import { BLOCK } from "./plan.ts";
import { broadcastRow, dot4, type SoftwareShape, softwareForwardStart, times } from "./text.ts";
import { tableWgsl } from "./wgsl.ts";

const KEYS = 16;

export const softwareForward = defineKernel((lanes: number, groups: number, columns: number) => {
  const shape: SoftwareShape = { lanes, groups, columns };
  const rows = lanes * groups;
  const keyLoads = KEYS / lanes;
  return {
    name: `attention_forward/lanes${lanes}/rows${rows}/columns${columns}`,
    ...forwardBindings,
    subgroups: true,
    code: `${tableWgsl}${forwardWgsl}${softwareForwardStart(lanes, rows, columns)}
${times(
  groups,
  (t) => `
  let i${t} = min(${t * lanes}u + lane, tile.count - 1u);
  let row${t} = pairRow(tile, group.z, i${t});
  let limit${t} = visibleToPair(tile, i${t});
  var top${t} = NONE; var sum${t} = 0.0;
  var scores${t}: array<f32, ${BLOCK}>;`,
)}
  for (var block = range.first; block < range.end; block += BLOCK) {
    let count = min(BLOCK, range.end - block);
${times(groups, (t) => `    var blockTop${t} = NONE; var blockSum${t} = 0.0;`)}
    for (var key = 0u; key < count; key += ${KEYS}u) {
${times(keyLoads, (u) => `      let k${u} = (keyRow(s, min(block + key + ${u * lanes}u + lane, range.end - 1u)) * P.kvHeads + group.z) * P.dim4;`)}
${times(KEYS, (j) => times(groups, (t) => `      var s${j}_${t} = 0.0;`))}
      for (var d = 0u; d < P.dim4; d++) {
${times(groups, (t) => `        let a${t} = q[row${t} * P.dim4 + d];`)}
${times(keyLoads, (u) => `        let b${u} = k[k${u} + d];`)}
${times(KEYS, (j) => `        { let b = ${broadcastRow("b", j, shape)}; ${times(groups, (t) => dot4(`s${j}_${t}`, "b", `a${t}`))} }`)}
      }
${times(KEYS, (j) => times(groups, (t) => `      { let x = select(NONE, s${j}_${t} * P.scale, block + key + ${j}u < limit${t}); blockTop${t} = max(blockTop${t}, x); scores${t}[key + ${j}u] = x; }`))}
    }
${times(rows, (i) => times(columns, (c) => `    var p${i}_${c} = vec4f();`))}
    for (var key = 0u; key < count; key++) {
      let at = (keyRow(s, block + key) * P.kvHeads + group.z) * P.dim4;
${times(columns, (c) => `      let v${c} = v[at + column${c}];`)}
${times(groups, (t) => `      let w${t} = weight(scores${t}[key], blockTop${t}); blockSum${t} += w${t};`)}
${times(rows, (i) => `      { let w = vec4f(${broadcastRow("w", i, shape)}); ${times(columns, (c) => `p${i}_${c} = fma(w, v${c}, p${i}_${c});`)} }`)}
    }
${times(groups, (t) => `    let m${t} = merge(top${t}, blockTop${t}); top${t} = m${t}.top; sum${t} = join(sum${t}, blockSum${t}, m${t});`)}
${times(rows, (i) => `    { let m = Merge(0.0, ${broadcastRow("m", i, shape, ".keep")}, ${broadcastRow("m", i, shape, ".take")}); ${times(columns, (c) => `o${i}_${c} = join4(o${i}_${c}, p${i}_${c}, m);`)} }`)}
  }
${times(groups, (t) => `  if (${t * lanes}u + lane < tile.count) { finishRow(group.x, row${t}, top${t}, sum${t}); }`)}
  for (var i = 0u; i < tile.count; i++) {
    let at = finishIndex(group.x, pairRow(tile, group.z, i)) * P.dim4 + lane;
    var sum = ${broadcastRow("sum", 0, shape)};
${times(columns, (c) => `    var x${c} = o0_${c};`)}
${times(rows - 1, (j) => `    if (i == ${j + 1}u) { sum = ${broadcastRow("sum", j + 1, shape)}; ${times(columns, (c) => `x${c} = o${j + 1}_${c};`)} }`)}
${times(columns, (c) => `    if (lane + ${c * lanes}u < P.dim4) { out[at + ${c * lanes}u] = finish4(x${c}, sum); }`)}
  }
}`,
  };
});
