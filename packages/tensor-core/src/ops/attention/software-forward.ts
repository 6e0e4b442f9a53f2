// Forward kernel for software adapters: a workgroup is one subgroup; lanes hold query rows while scores are made, then columns of
// the output. A lane hands its own scores to itself through a private array, so there is no barrier.
import { defineKernel, type Kernel } from "../../submit/kernel.ts";
import { times } from "./text.ts";
import { mergeWgsl, tableBinding, tableWgsl, uniforms } from "./wgsl.ts";

/** Rows of a tile are (query, head of the group) pairs: `groups` subgroup-wide groups of them. */
export interface SoftwareShape {
  readonly lanes: number;
  readonly groups: number;
  /** vec4 columns of the output that a lane holds. */
  readonly columns: number;
}

const KEYS = 16;

export function softwareForward({ lanes, groups, columns }: SoftwareShape): Kernel {
  const rows = lanes * groups;
  const keyLoads = KEYS / lanes;
  return defineKernel(`attention_forward/lanes${lanes}/rows${rows}/columns${columns}`, () => ({
    reads: { q: "vec4f", k: "vec4f", v: "vec4f", ...tableBinding },
    writes: { out: "vec4f", logSumExp: "f32" },
    uniforms,
    subgroups: true,
    code: `${tableWgsl}${mergeWgsl}
@compute @workgroup_size(${lanes})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let s = segmentAt(segmentOfTile(group.x));
  let perKv = P.heads / P.kvHeads;
  let firstQuery = (group.x - s.firstTile) * TILE;
  let firstPair = group.y * ${rows}u;
  let endPair = min(min(TILE, s.queryCount - firstQuery) * perKv, firstPair + ${rows}u);
  if (firstPair >= endPair) { return; }
  let bound = visible(s, firstQuery + (endPair - 1u) / perKv);
${times(
  groups,
  (t) => `
  let pair${t} = min(firstPair + ${t * lanes}u + lane, endPair - 1u);
  let row${t} = (s.queryStart + firstQuery + pair${t} / perKv) * P.heads + group.z * perKv + pair${t} % perKv;
  let limit${t} = visible(s, firstQuery + pair${t} / perKv);
  var top${t} = NONE; var sum${t} = 0.0;
  var scores${t}: array<f32, ${64}>;`,
)}
  let lastColumn = P.dim4 - 1u;
${times(columns, (c) => `  let column${c} = min(lane + ${c * lanes}u, lastColumn);`)}
${times(rows, (i) => times(columns, (c) => `  var o${i}_${c} = vec4f();`))}
  for (var block = 0u; block < bound; block += BLOCK) {
    let count = min(BLOCK, bound - block);
${times(groups, (t) => `    var blockTop${t} = NONE; var blockSum${t} = 0.0;`)}
    for (var key = 0u; key < count; key += ${KEYS}u) {
${times(keyLoads, (u) => `      let k${u} = (keyRow(s, min(block + key + ${u * lanes}u + lane, bound - 1u)) * P.kvHeads + group.z) * P.dim4;`)}
${times(KEYS, (j) => times(groups, (t) => `      var s${j}_${t} = 0.0;`))}
      for (var d = 0u; d < P.dim4; d++) {
${times(groups, (t) => `        let a${t} = q[row${t} * P.dim4 + d];`)}
${times(keyLoads, (u) => `        let b${u} = k[k${u} + d];`)}
${times(KEYS, (j) => `        { let b = subgroupBroadcast(b${Math.floor(j / lanes)}, ${j % lanes}u); ${times(groups, (t) => `s${j}_${t} = fma(b.w, a${t}.w, fma(b.z, a${t}.z, fma(b.y, a${t}.y, fma(b.x, a${t}.x, s${j}_${t}))));`)} }`)}
      }
${times(KEYS, (j) => times(groups, (t) => `      { let x = select(NONE, s${j}_${t} * P.scale, block + key + ${j}u < limit${t}); blockTop${t} = max(blockTop${t}, x); scores${t}[key + ${j}u] = x; }`))}
    }
${times(rows, (i) => times(columns, (c) => `    var p${i}_${c} = vec4f();`))}
    for (var key = 0u; key < count; key++) {
      let at = (keyRow(s, block + key) * P.kvHeads + group.z) * P.dim4;
${times(columns, (c) => `      let v${c} = v[at + column${c}];`)}
${times(groups, (t) => `      let w${t} = weight(scores${t}[key], blockTop${t}); blockSum${t} += w${t};`)}
${times(rows, (i) => `      { let w = vec4f(subgroupBroadcast(w${Math.floor(i / lanes)}, ${i % lanes}u)); ${times(columns, (c) => `p${i}_${c} = fma(w, v${c}, p${i}_${c});`)} }`)}
    }
${times(groups, (t) => `    let m${t} = merge(top${t}, blockTop${t}); top${t} = m${t}.top; sum${t} = join(sum${t}, blockSum${t}, m${t});`)}
${times(rows, (i) => `    { let m = Merge(0.0, subgroupBroadcast(m${Math.floor(i / lanes)}.keep, ${i % lanes}u), subgroupBroadcast(m${Math.floor(i / lanes)}.take, ${i % lanes}u)); ${times(columns, (c) => `o${i}_${c} = join4(o${i}_${c}, p${i}_${c}, m);`)} }`)}
  }
${times(groups, (t) => `  if (firstPair + ${t * lanes}u + lane < endPair) { logSumExp[row${t}] = logSum(top${t}, sum${t}); }`)}
  for (var i = 0u; i < endPair - firstPair; i++) {
    let pair = firstPair + i;
    let at = ((s.queryStart + firstQuery + pair / perKv) * P.heads + group.z * perKv + pair % perKv) * P.dim4;
    var total = subgroupBroadcast(sum0, 0u);
${times(columns, (c) => `    var x${c} = o0_${c};`)}
${times(rows - 1, (j) => `    if (i == ${j + 1}u) { total = subgroupBroadcast(sum${Math.floor((j + 1) / lanes)}, ${(j + 1) % lanes}u); ${times(columns, (c) => `x${c} = o${j + 1}_${c};`)} }`)}
${times(columns, (c) => `    if (lane + ${c * lanes}u < P.dim4) { out[at + lane + ${c * lanes}u] = normalize4(x${c}, total); }`)}
  }
}`,
  }));
}
