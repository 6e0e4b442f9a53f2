// top-k and top-p as one threshold per row, without sorting: floats are ordered as their sort keys, so the largest key that still leaves
// enough ids (top-k) or enough probability (top-p) is found bit by bit, in 32 passes.
import type { Device } from "../../device/device.ts";
import { defineKernel } from "../../submit/kernel.ts";
import type { Tensor } from "../../tensor.ts";
import { bannedWgsl } from "../head/banned.ts";
import { sortKeyWgsl, stateWgsl } from "../head/softmax-state.ts";

const LANES = 64;

// One workgroup a row. Lanes take every 64th id; their sums are added in the order of lanes. Two slots by turns save a barrier.
const kernel = () =>
  defineKernel("sample_threshold", () => ({
    reads: { logits: "f32", banned: "u32", totals: "vec4f" },
    writes: { thresholds: "u32" },
    uniforms: { rows: "u32", vocabulary: "u32", topK: "u32", topP: "f32", inverseTemperature: "f32" },
    code: /* wgsl */ `${bannedWgsl}${sortKeyWgsl}${stateWgsl}
var<workgroup> counts: array<u32, ${2 * LANES}>;
var<workgroup> masses: array<f32, ${2 * LANES}>;
fn count_from(threshold: u32, row: u32, lane: u32, slot: u32) -> u32 {
  var count = 0u;
  for (var c = lane; c < P.vocabulary; c += ${LANES}u) {
    let key = sort_key(logits[row * P.vocabulary + c]);
    if (key >= threshold && !is_banned(c)) { count++; }
  }
  counts[slot * ${LANES}u + lane] = count;
  workgroupBarrier();
  var total = 0u;
  for (var k = 0u; k < ${LANES}u; k++) { total += counts[slot * ${LANES}u + k]; }
  return total;
}
fn mass_from(threshold: u32, row: u32, lane: u32, slot: u32) -> f32 {
  var state = vec4f(totals[row].x, 0.0, 0.0, 0.0);
  for (var c = lane; c < P.vocabulary; c += ${LANES}u) {
    let logit = logits[row * P.vocabulary + c];
    if (sort_key(logit) >= threshold && !is_banned(c)) { state = add_logit(state, logit, P.inverseTemperature); }
  }
  masses[slot * ${LANES}u + lane] = state.y;
  workgroupBarrier();
  var total = 0.0;
  for (var k = 0u; k < ${LANES}u; k++) { total += masses[slot * ${LANES}u + k]; }
  return total;
}
@compute @workgroup_size(${LANES})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let row = group.x;
  var by_count = 0u;
  if (P.topK > 0u) {
    for (var k = 0u; k < 32u; k++) {
      let candidate = by_count | (0x80000000u >> k);
      if (count_from(candidate, row, lane, k & 1u) >= P.topK) { by_count = candidate; }
    }
  }
  var by_mass = 0u;
  if (P.topP < 1.0) {
    let needed = P.topP * mass_from(by_count, row, lane, 1u);
    for (var k = 0u; k < 32u; k++) {
      let candidate = by_mass | (0x80000000u >> k);
      if (mass_from(max(candidate, by_count), row, lane, k & 1u) >= needed) { by_mass = candidate; }
    }
  }
  if (lane == 0u) { thresholds[row] = max(by_count, by_mass); }
}`,
  }));

export interface Truncation {
  /** Keep the k likeliest ids, and what ties with the last of them. 0: all. */
  readonly topK: number;
  /**
   * Of these, keep the likeliest whose probabilities (renormalised after top-k, at the sampling temperature) first reach this sum, and what
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
  const [rows, vocabulary] = logits.shape as [number, number];
  const thresholds = device.empty([rows], "u32");
  device.dispatch(kernel(), {
    reads: [logits, banned, totals],
    writes: [thresholds],
    uniforms: [rows, vocabulary, topK, topP, inverseTemperature],
    groups: [rows],
  });
  return thresholds;
}
