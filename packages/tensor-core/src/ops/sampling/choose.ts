// The choice itself: by inverse distribution function over the blocks of a row, then over the ids of one block; and its log-prob.
import { at, matrixShape } from "../../checked.ts";
import type { Device } from "../../device/device.ts";
import { defineKernel } from "../../submit/kernel.ts";
import type { Tensor } from "../../tensor.ts";
import { bannedWgsl } from "../head/banned.ts";
import { sortKeyWgsl, VOCABULARY_BLOCK } from "../head/softmax-state.ts";
import { outputsWgsl } from "../head/targets.ts";
import { philoxWgsl } from "../random/philox.ts";
import { grid, perItemHead, THREADS } from "../wgsl.ts";

/** What stands for an id in a row whose logits leave none to choose. */
const NO_ID = 0xffffffff;

/** A dispatch of either kernel. */
const bindings = {
  reads: {
    logits: "f32",
    banned: "u32",
    thresholds: "u32",
    states: "vec4f",
    totals: "vec4f",
    plain: "vec4f",
    seeds: "u32",
  },
  writes: { ids: "u32" },
  uniforms: {
    rows: "u32",
    vocabulary: "u32",
    blocks: "u32",
    position: "u32",
    seedWidth: "u32",
    greedy: "u32",
    inverseTemperature: "f32",
  },
} as const;

// A row without a distribution, as logits or as adjusted for the choice, gets NO_ID. A choice walks over masses, ascending: of what has one, it takes
// the first that what remains of the uniform number ends in. Should rounding leave a remainder at the end, the last with a mass is taken. Greedy,
// those that hold the largest logit have a mass of 1, and nothing remains: the first of them is taken.
const choiceWgsl = /* wgsl */ `${bannedWgsl}${sortKeyWgsl}${outputsWgsl}${philoxWgsl}
fn mass_of(logit: f32, largest: f32) -> f32 {
  if (P.greedy != 0u) { return select(0.0, 1.0, logit == largest); }
  let d = scaled(logit, largest, P.inverseTemperature);
  return select(0.0, exp(max(d, -87.0)), d > -87.0);
}
fn mass_of_block(row: u32, block: u32) -> f32 {
  let state = states[row * P.blocks + block];
  let mass = mass_of(state.x, totals[row].x);
  return select(mass * select(state.y, 1.0, P.greedy != 0u), 0.0, is_empty(state));
}
fn mass_of_id(row: u32, id: u32) -> f32 {
  let logit = logits[row * P.vocabulary + id];
  if (is_banned(id) || sort_key(logit) < thresholds[row]) { return 0.0; }
  return mass_of(logit, totals[row].x);
}
fn can_choose(row: u32) -> bool { return has_distribution(totals[row]) && has_distribution(plain[row]); }
// The row's uniform number times the mass of all.
fn drawn(row: u32) -> f32 {
  if (P.greedy != 0u) { return 0.0; }
  let seed = row * P.seedWidth;
  let position = P.position + select(0u, seeds[seed + 2u], P.seedWidth == 3u);
  return uniform_of(philox(vec4u(position, 0u, 0u, 0u), vec2u(seeds[seed], seeds[seed + 1u])).x) * totals[row].y;
}
struct Walk { remaining: f32, chosen: u32, done: bool }
fn step(walk: Walk, index: u32, mass: f32) -> Walk {
  if (mass == 0.0) { return walk; }
  let done = walk.remaining < mass;
  return Walk(select(walk.remaining - mass, walk.remaining, done), index, done);
}`;

// A thread a row.
const chooseKernel = defineKernel(() => ({
  name: "sample_choose",
  ...bindings,
  code: `${choiceWgsl}
${perItemHead}
  if (i >= P.rows) { return; }
  if (!can_choose(i)) {
    ids[i] = ${NO_ID}u;
    return;
  }
  var walk = Walk(drawn(i), P.blocks, false);
  for (var b = 0u; b < P.blocks && !walk.done; b++) { walk = step(walk, b, mass_of_block(i, b)); }
  let first = walk.chosen * ${VOCABULARY_BLOCK}u;
  walk = Walk(walk.remaining, ${NO_ID}u, false);
  for (var c = first; c < min(first + ${VOCABULARY_BLOCK}u, P.vocabulary) && !walk.done; c++) {
    walk = step(walk, c, mass_of_id(i, c));
  }
  ids[i] = walk.chosen;
}`,
}));

// A workgroup a row: lanes take the masses, the first walks over them.
const laneChooseKernel = defineKernel(() => ({
  name: "sample_choose/workgroup",
  ...bindings,
  code: `${choiceWgsl}
var<workgroup> masses: array<f32, ${VOCABULARY_BLOCK}>;
var<workgroup> walked: Walk;

// Walks over 'count' masses, of what 'first' and on stand for.
fn walk_on(lane: u32, first: u32, count: u32) {
  workgroupBarrier();
  if (lane == 0u) {
    var walk = walked;
    for (var k = 0u; k < count && !walk.done; k++) { walk = step(walk, first + k, masses[k]); }
    walked = walk;
  }
  workgroupBarrier();
}

@compute @workgroup_size(${THREADS})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let row = group.y * groups.x + group.x;
  if (row >= P.rows) { return; }
  if (!can_choose(row)) {
    if (lane == 0u) { ids[row] = ${NO_ID}u; }
    return;
  }
  if (lane == 0u) { walked = Walk(drawn(row), P.blocks, false); }
  for (var first = 0u; first < P.blocks; first += ${VOCABULARY_BLOCK}u) {
    let count = min(${VOCABULARY_BLOCK}u, P.blocks - first);
    for (var k = lane; k < count; k += ${THREADS}u) { masses[k] = mass_of_block(row, first + k); }
    walk_on(lane, first, count);
  }
  let first = workgroupUniformLoad(&walked).chosen * ${VOCABULARY_BLOCK}u;
  if (lane == 0u) { walked = Walk(walked.remaining, ${NO_ID}u, false); }
  let count = min(first + ${VOCABULARY_BLOCK}u, P.vocabulary) - min(first, P.vocabulary);
  for (var k = lane; k < count; k += ${THREADS}u) { masses[k] = mass_of_id(row, first + k); }
  walk_on(lane, first, count);
  if (lane == 0u) { ids[row] = walked.chosen; }
}`,
}));

/** What a choice is made from; all of n rows. */
export interface Distribution {
  /** f32 [n, vocabulary]. */
  readonly logits: Tensor;
  readonly banned: Tensor;
  /** u32 [n]: sort keys of the least logits that take part. */
  readonly thresholds: Tensor;
  /** Softmax states of blocks [n, blocks, 4] and rows [n, 4], of the ids that take part. */
  readonly states: Tensor;
  readonly totals: Tensor;
  /** Softmax states of the rows without changes to the logits: they give the log-probs. */
  readonly plain: Tensor;
}

/** Chosen ids, u32 [n], or NO_ID. Greedy: the largest logit, of equal ones the lowest id. */
export function chooseIds(
  device: Device,
  distribution: Distribution,
  seeds: Tensor,
  position: number,
  greedy: boolean,
  inverseTemperature: number,
): Tensor {
  const { logits, banned, thresholds, states, totals, plain } = distribution;
  const [rows, vocabulary] = matrixShape(logits);
  const ids = device.empty([rows], "u32");
  const byThread = device.facts.family === "software";
  device.dispatch(byThread ? chooseKernel() : laneChooseKernel(), {
    reads: [logits, banned, thresholds, states, totals, plain, seeds],
    writes: [ids],
    uniforms: [rows, vocabulary, at(states.shape, 1), position, at(seeds.shape, 1), greedy ? 1 : 0, inverseTemperature],
    groups: grid(device, rows, byThread ? THREADS : 1),
  });
  return ids;
}

const logProbKernel = defineKernel(() => ({
  name: "sample_log_prob",
  reads: { logits: "f32", totals: "vec4f", ids: "u32" },
  writes: { logProbs: "f32" },
  uniforms: { rows: "u32", vocabulary: "u32", inverseTemperature: "f32" },
  code: `${outputsWgsl}
${perItemHead}
  if (i >= P.rows) { return; }
  let id = min(ids[i], P.vocabulary - 1u);
  let value = log_prob(totals[i], logits[i * P.vocabulary + id], P.inverseTemperature);
  logProbs[i] = select(value, not_a_number(), ids[i] >= P.vocabulary);
}`,
}));

/** Log-probs f32 [n] of ids [n] under logits [n, vocabulary] with softmax states `totals` [n, 4]. */
export function logProbsOf(
  device: Device,
  logits: Tensor,
  totals: Tensor,
  ids: Tensor,
  inverseTemperature: number,
): Tensor {
  const [rows, vocabulary] = matrixShape(logits);
  const logProbs = device.empty([rows]);
  device.dispatch(logProbKernel(), {
    reads: [logits, totals, ids],
    writes: [logProbs],
    uniforms: [rows, vocabulary, inverseTemperature],
    groups: grid(device, rows),
  });
  return logProbs;
}
