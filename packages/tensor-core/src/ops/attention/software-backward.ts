// Backward kernels for software adapters, built as the forward one: lanes hold the tile's rows while scores are made, then columns
// of its gradients.
import { defineKernel, type Kernel } from "../../submit/kernel.ts";
import type { SoftwareShape } from "./software-forward.ts";
import { times } from "./text.ts";
import { tableBinding, tableWgsl, uniforms } from "./wgsl.ts";

const STEP = 16;

const gradientWgsl = /* wgsl */ `
struct Weights { p: f32, ds: f32 }

// stats: (log-sum-exp, row sum of gradient * output) of a query; dp: gradient of the probability.
fn weights(score: f32, dp: f32, stats: vec2f, seen: bool) -> Weights {
  let p = select(0.0, exp(max(fma(score, P.scale, -stats.x), -87.0)), seen);
  return Weights(p, p * (dp - stats.y) * P.scale);
}
`;

/** 16 rows of dq: walks the keys that they see. */
export function softwareQueryGradient({ lanes, groups, columns }: SoftwareShape): Kernel {
  const rows = lanes * groups;
  const loads = STEP / lanes;
  return defineKernel(`attention_dq/lanes${lanes}/rows${rows}/columns${columns}`, () => ({
    reads: { q: "vec4f", k: "vec4f", v: "vec4f", g: "vec4f", stats: "vec2f", ...tableBinding },
    writes: { dq: "vec4f" },
    uniforms,
    subgroups: true,
    code: `${tableWgsl}${gradientWgsl}
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
  let stats${t} = stats[row${t}];
  var ds${t}: array<f32, ${STEP}>;`,
)}
${times(columns, (c) => `  let column${c} = min(lane + ${c * lanes}u, P.dim4 - 1u);`)}
${times(rows, (i) => times(columns, (c) => `  var o${i}_${c} = vec4f();`))}
  for (var key = 0u; key < bound; key += ${STEP}u) {
${times(loads, (u) => `    let k${u} = (keyRow(s, min(key + ${u * lanes}u + lane, bound - 1u)) * P.kvHeads + group.z) * P.dim4;`)}
${times(STEP, (j) => times(groups, (t) => `    var s${j}_${t} = 0.0; var e${j}_${t} = 0.0;`))}
    for (var d = 0u; d < P.dim4; d++) {
${times(groups, (t) => `      let a${t} = q[row${t} * P.dim4 + d]; let c${t} = g[row${t} * P.dim4 + d];`)}
${times(loads, (u) => `      let b${u} = k[k${u} + d]; let f${u} = v[k${u} + d];`)}
${dots(lanes, groups)}
    }
${times(STEP, (j) => times(groups, (t) => `    ds${t}[${j}] = weights(s${j}_${t}, e${j}_${t}, stats${t}, key + ${j}u < limit${t}).ds;`))}
    for (var j = 0u; j < min(${STEP}u, bound - key); j++) {
      let at = (keyRow(s, key + j) * P.kvHeads + group.z) * P.dim4;
${times(columns, (c) => `      let b${c} = k[at + column${c}];`)}
${times(groups, (t) => `      let w${t} = ds${t}[j];`)}
${times(rows, (i) => `      { let w = vec4f(subgroupBroadcast(w${Math.floor(i / lanes)}, ${i % lanes}u)); ${times(columns, (c) => `o${i}_${c} = fma(w, b${c}, o${i}_${c});`)} }`)}
    }
  }
  for (var i = 0u; i < endPair - firstPair; i++) {
    let pair = firstPair + i;
    let at = ((s.queryStart + firstQuery + pair / perKv) * P.heads + group.z * perKv + pair % perKv) * P.dim4;
${pick(rows, columns, "o")}
${times(columns, (c) => `    if (lane + ${c * lanes}u < P.dim4) { dq[at + lane + ${c * lanes}u] = o_${c}; }`)}
  }
}`,
  }));
}

/** 16 rows of dk and dv: walks the queries that see them, segment by segment in ascending order, heads of a group in order. */
export function softwareKeyGradient({ lanes, groups, columns }: SoftwareShape): Kernel {
  const rows = lanes * groups;
  const loads = STEP / lanes;
  return defineKernel(`attention_dkv/lanes${lanes}/rows${rows}/columns${columns}`, () => ({
    reads: { q: "vec4f", k: "vec4f", v: "vec4f", g: "vec4f", stats: "vec2f", ...tableBinding },
    writes: { dk: "vec4f", dv: "vec4f" },
    uniforms,
    subgroups: true,
    code: `${tableWgsl}${gradientWgsl}
@compute @workgroup_size(${lanes})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let interval = intervalOfTile(group.x);
  let perKv = P.heads / P.kvHeads;
  let offset = (group.x - table[interval + 3u]) * TILE + group.y * ${rows}u;
  if (offset >= table[interval + 1u]) { return; }
  let count = min(${rows}u, table[interval + 1u] - offset);
  let first = table[interval] + offset;
${times(
  groups,
  (t) => `
  let local${t} = min(${t * lanes}u + lane, count - 1u);
  let row${t} = (first + local${t}) * P.kvHeads + group.z;
  var p${t}: array<f32, ${STEP}>;
  var ds${t}: array<f32, ${STEP}>;`,
)}
${times(columns, (c) => `  let column${c} = min(lane + ${c * lanes}u, P.dim4 - 1u);`)}
${times(rows, (i) => times(columns, (c) => `  var o${i}_${c} = vec4f(); var r${i}_${c} = vec4f();`))}
  for (var reader = table[interval + 2u]; reader < table[interval + 6u]; reader++) {
    let s = segmentAt(table[P.readersAt + reader * 2u]);
    let logical = table[P.readersAt + reader * 2u + 1u] + offset;
    let end = s.queryCount * perKv;
    for (var pair = firstReader(s, logical) * perKv; pair < end; pair += ${STEP}u) {
${times(
  loads,
  (u) => `      let pair${u} = min(pair + ${u * lanes}u + lane, end - 1u);
      let query${u} = (s.queryStart + pair${u} / perKv) * P.heads + group.z * perKv + pair${u} % perKv;
      let limit${u} = visible(s, pair${u} / perKv); let stats${u} = stats[query${u}];`,
)}
${times(STEP, (j) => times(groups, (t) => `      var s${j}_${t} = 0.0; var e${j}_${t} = 0.0;`))}
      for (var d = 0u; d < P.dim4; d++) {
${times(groups, (t) => `        let a${t} = k[row${t} * P.dim4 + d]; let c${t} = v[row${t} * P.dim4 + d];`)}
${times(loads, (u) => `        let b${u} = q[query${u} * P.dim4 + d]; let f${u} = g[query${u} * P.dim4 + d];`)}
${dots(lanes, groups)}
      }
${times(
  STEP,
  (
    j,
  ) => `      { let other = subgroupBroadcast(stats${Math.floor(j / lanes)}, ${j % lanes}u); let limit = subgroupBroadcast(limit${Math.floor(j / lanes)}, ${j % lanes}u);
${times(groups, (t) => `      let w${t} = weights(s${j}_${t}, e${j}_${t}, other, logical + local${t} < limit); p${t}[${j}] = w${t}.p; ds${t}[${j}] = w${t}.ds;`)} }`,
)}
      for (var j = 0u; j < min(${STEP}u, end - pair); j++) {
        let at = ((s.queryStart + (pair + j) / perKv) * P.heads + group.z * perKv + (pair + j) % perKv) * P.dim4;
${times(columns, (c) => `        let b${c} = q[at + column${c}]; let f${c} = g[at + column${c}];`)}
${times(groups, (t) => `        let x${t} = ds${t}[j]; let y${t} = p${t}[j];`)}
${times(
  rows,
  (
    i,
  ) => `        { let x = vec4f(subgroupBroadcast(x${Math.floor(i / lanes)}, ${i % lanes}u)); let y = vec4f(subgroupBroadcast(y${Math.floor(i / lanes)}, ${i % lanes}u));
${times(columns, (c) => `        o${i}_${c} = fma(x, b${c}, o${i}_${c}); r${i}_${c} = fma(y, f${c}, r${i}_${c});`)} }`,
)}
      }
    }
  }
  for (var i = 0u; i < count; i++) {
    let at = ((first + i) * P.kvHeads + group.z) * P.dim4;
${pick(rows, columns, "o")}
${pick(rows, columns, "r")}
${times(columns, (c) => `    if (lane + ${c * lanes}u < P.dim4) { dk[at + lane + ${c * lanes}u] = o_${c}; dv[at + lane + ${c * lanes}u] = r_${c}; }`)}
  }
}`,
  }));
}

/** Scores s and probability gradients e of STEP other rows (b, f by lane) against the tile's rows (a, c by lane). */
function dots(lanes: number, groups: number): string {
  return times(STEP, (j) => {
    const [from, lane] = [Math.floor(j / lanes), j % lanes];
    return `      { let b = subgroupBroadcast(b${from}, ${lane}u); let f = subgroupBroadcast(f${from}, ${lane}u);
${times(groups, (t) => `      ${dot(`s${j}_${t}`, "b", `a${t}`)} ${dot(`e${j}_${t}`, "f", `c${t}`)}`)} }`;
  });
}

function dot(sum: string, a: string, b: string): string {
  return `${sum} = fma(${a}.w, ${b}.w, fma(${a}.z, ${b}.z, fma(${a}.y, ${b}.y, fma(${a}.x, ${b}.x, ${sum}))));`;
}

/** Row i (run time) of a register tile, as `name_column`. */
function pick(rows: number, columns: number, name: string): string {
  return `${times(columns, (c) => `    var ${name}_${c} = ${name}0_${c};`)}
${times(rows - 1, (j) => `    if (i == ${j + 1}u) { ${times(columns, (c) => `${name}_${c} = ${name}${j + 1}_${c};`)} }`)}`;
}
