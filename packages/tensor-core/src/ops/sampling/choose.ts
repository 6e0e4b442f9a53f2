// The choice itself: by inverse distribution function over the blocks of a row, then over the ids of one block; and its log-prob.
import { at, matrixShape } from "../../checked.ts";
import type { Device } from "../../device/device.ts";
import { defineKernel } from "../../submit/kernel.ts";
import type { Tensor } from "../../tensor.ts";
import { bannedWgsl } from "../head/banned.ts";
import { sortKeyWgsl, VOCABULARY_BLOCK } from "../head/softmax-state.ts";
import { outputsWgsl } from "../head/targets.ts";
import { philoxWgsl } from "../random/philox.ts";
import { grid, perItemHead } from "../wgsl.ts";

/** What stands for an id in a row whose logits leave none to choose. */
const NO_ID = 0xffffffff;

// A thread a row. Should rounding leave a remainder at the end, the last id with a mass is taken. A row without a distribution, as logits
// or as adjusted for the choice, gets NO_ID.
const chooseKernel = defineKernel(() => ({
  name: "sample_choose",
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
  code: `${bannedWgsl}${sortKeyWgsl}${outputsWgsl}${philoxWgsl}
fn mass_of(logit: f32, largest: f32) -> f32 {
  let d = scaled(logit, largest, P.inverseTemperature);
  return select(0.0, exp(max(d, -87.0)), d > -87.0);
}
${perItemHead}
  if (i >= P.rows) { return; }
  let total = totals[i];
  if (!has_distribution(total) || !has_distribution(plain[i])) {
    ids[i] = ${NO_ID}u;
    return;
  }
  let seed = i * P.seedWidth;
  let position = P.position + select(0u, seeds[seed + 2u], P.seedWidth == 3u);
  var remaining = uniform_of(philox(vec4u(position, 0u, 0u, 0u), vec2u(seeds[seed], seeds[seed + 1u])).x) * total.y;
  var block = P.blocks;
  for (var b = 0u; b < P.blocks; b++) {
    let state = states[i * P.blocks + b];
    if (state.y == 0.0) { continue; }
    if (P.greedy != 0u) {
      if (state.x == total.x) { block = b; break; }
      continue;
    }
    let mass = state.y * mass_of(state.x, total.x);
    if (mass == 0.0) { continue; }
    block = b;
    if (remaining < mass) { break; }
    remaining -= mass;
  }
  var chosen = P.vocabulary;
  let first = block * ${VOCABULARY_BLOCK}u;
  for (var c = first; c < min(first + ${VOCABULARY_BLOCK}u, P.vocabulary); c++) {
    let logit = logits[i * P.vocabulary + c];
    if (is_banned(c) || sort_key(logit) < thresholds[i]) { continue; }
    if (P.greedy != 0u) {
      if (logit == total.x) { chosen = c; break; }
      continue;
    }
    let mass = mass_of(logit, total.x);
    if (mass == 0.0) { continue; }
    chosen = c;
    if (remaining < mass) { break; }
    remaining -= mass;
  }
  ids[i] = select(chosen, ${NO_ID}u, chosen == P.vocabulary);
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
  device.dispatch(chooseKernel(), {
    reads: [logits, banned, thresholds, states, totals, plain, seeds],
    writes: [ids],
    uniforms: [rows, vocabulary, at(states.shape, 1), position, at(seeds.shape, 1), greedy ? 1 : 0, inverseTemperature],
    groups: grid(device, rows),
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
