// Softmax states on real GPUs: lanes side by side read the logits and take the exponentials, one adds them up in the canonical order. The bits are
// those of a thread that does all of it by itself, since no sum has another order and a maximum has none.
import { defineKernel } from "../../submit/kernel.ts";
import { bannedWgsl } from "./banned.ts";
import { sortKeyWgsl, stateWgsl, VOCABULARY_BLOCK } from "./softmax-state.ts";

/** Lanes of a block, each with four of its ids. */
const ACROSS = VOCABULARY_BLOCK / 4;
/** Blocks that a workgroup takes at once: one lane of each adds its terms up. */
export const BLOCKS_AT_ONCE = 4;
/** One more than lanes, so that the lanes that add read different banks. */
const PITCH = ACROSS + 1;
/** Maxima that one lane joins, and that all of them join then. */
const STEP = 8;
/** Blocks that are merged at once. */
const MERGED = 64;

const components = ["x", "y", "z", "w"] as const;
/** A vec4 of what `make` gives for each component. */
const four = (type: string, make: (component: string) => string): string =>
  `${type}(${components.map(make).join(", ")})`;

/** Of the kernels that make states of blocks; they read the logits, the banned ids, and thresholds where rows are truncated. */
export const blockBindings = {
  writes: { states: "vec4f" },
  uniforms: {
    items: "u32",
    blocks: "u32",
    stride: "u32",
    columns: "u32",
    firstColumn: "u32",
    inverseTemperature: "f32",
  },
} as const;

/** Of the kernels that merge them. */
export const mergeBindings = {
  reads: { states: "vec4f" },
  writes: { running: "vec4f" },
  uniforms: { rows: "u32", blocks: "u32", inverseTemperature: "f32" },
} as const;

/** `wide`: rows are a multiple of 4 apart, and `logits` holds vec4f. */
export const laneBlockKernel = defineKernel((truncated: boolean, wide: boolean) => ({
  name: `softmax_blocks/workgroup${truncated ? "/truncated" : ""}${wide ? "/vec4" : ""}`,
  reads: { logits: wide ? "vec4f" : "f32", banned: "u32", ...(truncated ? { thresholds: "u32" as const } : {}) },
  ...blockBindings,
  code: /* wgsl */ `${bannedWgsl}${stateWgsl}${truncated ? sortKeyWgsl : ""}
var<workgroup> tops: array<f32, ${BLOCKS_AT_ONCE * ACROSS}>;
var<workgroup> joined: array<f32, ${BLOCKS_AT_ONCE * STEP}>;
var<workgroup> terms: array<vec4f, ${BLOCKS_AT_ONCE * PITCH}>; // e of four ids
var<workgroup> shifts: array<vec4f, ${BLOCKS_AT_ONCE * PITCH}>; // and their d

fn four_logits(at: u32) -> vec4f {
  return ${wide ? "logits[at / 4u]" : "vec4f(logits[at], logits[at + 1u], logits[at + 2u], logits[at + 3u])"};
}
fn joined_top(part: u32) -> f32 {
  var top = LOWEST;
  for (var k = 0u; k < ${STEP}u; k++) { top = max(top, joined[part * ${STEP}u + k]); }
  return top;
}

@compute @workgroup_size(${BLOCKS_AT_ONCE * ACROSS})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) local: u32) {
  let firstItem = (group.y * groups.x + group.x) * ${BLOCKS_AT_ONCE}u;
  if (firstItem >= P.items) { return; }
  let part = local / ${ACROSS}u;
  let lane = local % ${ACROSS}u;
  let item = min(firstItem + part, P.items - 1u);
  let row = item / P.blocks;
  let column = (item % P.blocks) * ${VOCABULARY_BLOCK}u + lane * 4u;
  let id = P.firstColumn + column;
  let bans = vec4u(banned[id >> 5u] >> (id & 31u)) & vec4u(1u, 2u, 4u, 8u);
  let allowed = (bans == vec4u()) & (vec4u(column, column + 1u, column + 2u, column + 3u) < vec4u(P.columns));
  let own = four_logits(row * P.stride + column);
  let top = select(vec4f(LOWEST), own, allowed);
  tops[local] = max(max(top.x, top.y), max(top.z, top.w));
  workgroupBarrier();
  if (lane < ${STEP}u) {
    var most = LOWEST;
    for (var k = 0u; k < ${ACROSS / STEP}u; k++) { most = max(most, tops[part * ${ACROSS}u + k * ${STEP}u + lane]); }
    joined[part * ${STEP}u + lane] = most;
  }
  workgroupBarrier();
  let largest = joined_top(part);
${components.map((c) => `  let ${c} = term_of(own.${c}, largest, P.inverseTemperature);`).join("\n")}
  let counted = allowed${truncated ? ` & (${four("vec4u", (c) => `sort_key(own.${c})`)} >= vec4u(thresholds[row]))` : ""};
  terms[part * ${PITCH}u + lane] = select(vec4f(), ${four("vec4f", (c) => `${c}.x`)}, counted);
  shifts[part * ${PITCH}u + lane] = select(vec4f(), ${four("vec4f", (c) => `${c}.y`)}, counted);
  workgroupBarrier();
  if (local >= ${BLOCKS_AT_ONCE}u || firstItem + local >= P.items) { return; }
  var state = vec4f(joined_top(local), 0.0, 0.0, 0.0);
  for (var k = 0u; k < ${ACROSS}u; k++) {
    let e = terms[local * ${PITCH}u + k];
    let d = shifts[local * ${PITCH}u + k];
    state = add_term(add_term(add_term(add_term(state, e.x, d.x), e.y, d.y), e.z, d.z), e.w, d.w);
  }
  states[firstItem + local] = state;
}`,
}));

/** A workgroup a row. The largest logits before each block are known without the sums, so that lanes take the exponentials of all merges at once. */
export const laneMergeKernel = defineKernel(() => ({
  name: "softmax_merge/workgroup",
  ...mergeBindings,
  code: /* wgsl */ `${stateWgsl}
var<workgroup> tops: array<f32, ${MERGED}>; // largest logit of a block and those before it
var<workgroup> blockStates: array<vec4f, ${MERGED}>;
var<workgroup> factors: array<vec4f, ${MERGED}>;

@compute @workgroup_size(${MERGED})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let row = group.y * groups.x + group.x;
  if (row >= P.rows) { return; }
  var state = running[row]; // of the first lane
  var before = select(state.x, LOWEST, is_empty(state)); // of all
  for (var first = 0u; first < P.blocks; first += ${MERGED}u) {
    let inside = first + lane < P.blocks;
    let own = select(vec4f(), states[row * P.blocks + min(first + lane, P.blocks - 1u)], inside);
    let ownTop = select(own.x, LOWEST, is_empty(own));
    tops[lane] = ownTop;
    blockStates[lane] = own;
    workgroupBarrier();
    for (var span = 1u; span < ${MERGED}u; span *= 2u) {
      let lower = tops[max(lane, span) - span];
      workgroupBarrier();
      if (lane >= span) { tops[lane] = max(tops[lane], lower); }
      workgroupBarrier();
    }
    let top = max(before, select(LOWEST, tops[max(lane, 1u) - 1u], lane > 0u));
    factors[lane] = shifts_of(top, ownTop, P.inverseTemperature).by;
    before = max(before, tops[${MERGED - 1}u]);
    workgroupBarrier();
    if (lane == 0u) {
      for (var k = 0u; k < min(${MERGED}u, P.blocks - first); k++) {
        let block = blockStates[k];
        if (is_empty(state)) { state = block; continue; }
        if (is_empty(block)) { continue; }
        state = join_states(state, block, Shifts(max(state.x, block.x), factors[k]));
      }
    }
    workgroupBarrier();
  }
  if (lane == 0u) { running[row] = state; }
}`,
}));
