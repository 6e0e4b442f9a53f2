// top-k and top-p as one threshold per row, without sorting: floats are ordered as their sort keys, so the largest key that still leaves
// enough ids (top-k) or enough probability (top-p) is found digit by digit, in eight passes over the row.
import { matrixShape } from "../../checked.ts";
import type { Device } from "../../device/device.ts";
import { defineKernel } from "../../submit/kernel.ts";
import type { Tensor } from "../../tensor.ts";
import { bannedWgsl } from "../head/banned.ts";
import { sortKeyWgsl, stateWgsl } from "../head/softmax-state.ts";

const LANES = 64;
const DIGITS = 16;

// One workgroup a row. Every lane weighs each 64th id into bins of its own, which are then added in the order of lanes: no atomics, equal bits.
const kernel = defineKernel(() => ({
  name: "sample_threshold",
  reads: { logits: "f32", banned: "u32", totals: "vec4f" },
  writes: { thresholds: "u32" },
  uniforms: { vocabulary: "u32", topK: "u32", topP: "f32", inverseTemperature: "f32" },
  code: /* wgsl */ `${bannedWgsl}${sortKeyWgsl}${stateWgsl}
var<workgroup> bins: array<f32, ${DIGITS * LANES}>;
var<workgroup> weights: array<f32, ${DIGITS}>;
fn weigh_id(id: u32, logit: f32, largest: f32, bin: u32, by_mass: bool) {
  if (is_banned(id)) { return; }
  var weight = 1.0;
  if (by_mass) { weight = add_logit(vec4f(largest, 0.0, 0.0, 0.0), logit, P.inverseTemperature).y; }
  bins[bin] += weight;
}
// Adds the ids whose keys start as prefix does to the bins of their next digit: 1 each, or their probability times the row's sum.
fn weigh(row: u32, lane: u32, prefix: u32, shift: u32, least: u32, by_mass: bool) {
  for (var digit = 0u; digit < ${DIGITS}u; digit++) { bins[digit * ${LANES}u + lane] = 0.0; }
  let largest = totals[row].x;
  for (var first = lane; first < P.vocabulary; first += ${4 * LANES}u) {
    let ids = vec4u(first, first + ${LANES}u, first + ${2 * LANES}u, first + ${3 * LANES}u);
    let at = row * P.vocabulary + min(ids, vec4u(P.vocabulary - 1u));
    let four = vec4f(logits[at.x], logits[at.y], logits[at.z], logits[at.w]); // one wait for all
    let keys = vec4u(sort_key(four.x), sort_key(four.y), sort_key(four.z), sort_key(four.w));
    let digits = (keys ^ vec4u(prefix)) >> vec4u(shift);
    let counts = (ids < vec4u(P.vocabulary)) & (digits < vec4u(${DIGITS}u)) & (keys >= vec4u(least));
    if (!any(counts)) { continue; }
${["x", "y", "z", "w"].map((c) => `    if (counts.${c}) { weigh_id(ids.${c}, four.${c}, largest, digits.${c} * ${LANES}u + lane, by_mass); }`).join("\n")}
  }
  workgroupBarrier();
  if (lane < ${DIGITS}u) {
    var sum = 0.0;
    for (var k = 0u; k < ${LANES}u; k++) { sum += bins[lane * ${LANES}u + k]; }
    weights[lane] = sum;
  }
  workgroupBarrier();
}
// The largest key such that the keys from it on (and from least on) weigh enough; 0 where all together do not.
fn largest_key(row: u32, lane: u32, least: u32, by_mass: bool) -> u32 {
  var needed = f32(P.topK);
  var prefix = 0u;
  var above = 0.0;
  for (var shift = 32u; shift > 0u;) {
    shift -= 4u;
    weigh(row, lane, prefix, shift, least, by_mass);
    if (by_mass && shift == 28u) {
      var sum = 0.0;
      for (var digit = ${DIGITS}u; digit > 0u; digit--) { sum += weights[digit - 1u]; }
      needed = P.topP * sum;
    }
    var digit = ${DIGITS - 1}u;
    while (digit > 0u && above + weights[digit] < needed) {
      above += weights[digit];
      digit--;
    }
    prefix |= digit << shift;
  }
  return prefix;
}
@compute @workgroup_size(${LANES})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  var threshold = 0u;
  if (P.topK > 0u) { threshold = largest_key(group.x, lane, 0u, false); }
  if (P.topP < 1.0) { threshold = max(threshold, largest_key(group.x, lane, threshold, true)); }
  if (lane == 0u) { thresholds[group.x] = threshold; }
}`,
}));

export interface Truncation {
  /** Keep the k likeliest ids, and what ties with the last of them. 0: all. */
  readonly topK: number;
  /**
   * Of these, keep the likeliest whose probabilities (renormalized after top-k, at the sampling temperature) first reach this sum, and what
   * ties with the last of them. 1: all. Sums are f32: a set whose sum is within about 1e-6 of it may be one id larger or smaller.
   */
  readonly topP: number;
}

/**
 * Sort keys, u32 [n], below which ids of logits [n, vocabulary] are left out. `totals` are the rows' softmax states (f32 [n, 4]).
 * At least the likeliest id stays.
 */
export function thresholdsOf(
  device: Device,
  logits: Tensor,
  banned: Tensor,
  totals: Tensor,
  { topK, topP }: Truncation,
  inverseTemperature: number,
): Tensor {
  const [rows, vocabulary] = matrixShape(logits);
  const thresholds = device.empty([rows], "u32");
  device.dispatch(kernel(), {
    reads: [logits, banned, totals],
    writes: [thresholds],
    uniforms: [vocabulary, topK, topP, inverseTemperature],
    groups: [rows],
  });
  return thresholds;
}
