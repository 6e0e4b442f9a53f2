// Kernels over (row, target) pairs: the targets' logits, and log-prob and entropy from them and the rows' softmax states.
import { rowsOf } from "../../checked.ts";
import type { Device } from "../../device/device.ts";
import { defineKernel } from "../../submit/kernel.ts";
import type { Tensor } from "../../tensor.ts";
import { notANumberWgsl } from "../non-finite-wgsl.ts";
import { grid, perItemHead } from "../wgsl.ts";
import type { LogitSlice } from "./block-states.ts";
import type { GroupedPairs } from "./pairs.ts";
import { stateWgsl } from "./softmax-state.ts";

const pickKernel = defineKernel(() => ({
  name: "head_pick",
  reads: { logits: "f32", starts: "u32", entries: "vec2u" },
  writes: { picked: "f32" },
  uniforms: { rows: "u32", firstRow: "u32", stride: "u32", columns: "u32", firstColumn: "u32" },
  code: `${perItemHead}
  if (i >= P.rows) { return; }
  let row = P.firstRow + i;
  for (var e = starts[row]; e < starts[row + 1u]; e++) {
    let target_id = entries[e].x;
    if (target_id >= P.firstColumn && target_id - P.firstColumn < P.columns) {
      picked[entries[e].y] = logits[i * P.stride + target_id - P.firstColumn];
    }
  }
}`,
}));

/** Stores the logits of those targets of rows `firstRow` and on that lie in the slice, by pair. */
export function pickTargets(
  device: Device,
  slice: LogitSlice,
  firstRow: number,
  pairs: GroupedPairs,
  picked: Tensor,
): void {
  device.dispatch(pickKernel(), {
    reads: [slice.logits, pairs.starts, pairs.entries],
    writes: [picked],
    uniforms: [slice.rows, firstRow, slice.stride, slice.columns, slice.firstColumn],
    groups: grid(device, slice.rows),
  });
}

/** Formulas of the outputs, shared by the head and by sampling. */
export const outputsWgsl: string = /* wgsl */ `${stateWgsl}${notANumberWgsl}
// Whether the row has a distribution: a logit of NaN or infinity leaves a sum of NaN, and none above -infinity one of 0.
fn has_distribution(state: vec4f) -> bool { return !is_nan(state.y) && bitcast<u32>(state.y) != 0u; }
fn log_sum(state: vec4f) -> f32 { return select(not_a_number(), log(state.y), has_distribution(state)); }
fn log_prob(state: vec4f, logit: f32, inverse_temperature: f32) -> f32 {
  return scaled(logit, state.x, inverse_temperature) - log_sum(state);
}
fn entropy_of(state: vec4f) -> f32 {
  return log_sum(state) - state.z / state.y;
}`;

const finishKernel = defineKernel(() => ({
  name: "head_finish",
  reads: { states: "vec4f", picked: "f32", starts: "u32", entries: "vec2u" },
  writes: { logProb: "f32", entropy: "f32", logNormalizer: "f32" },
  uniforms: { rows: "u32", inverseTemperature: "f32" },
  code: `${outputsWgsl}
${perItemHead}
  if (i >= P.rows) { return; }
  let state = states[i];
  logNormalizer[i] = fma(state.x, P.inverseTemperature, log_sum(state));
  for (var e = starts[i]; e < starts[i + 1u]; e++) {
    let pair = entries[e].y;
    logProb[pair] = log_prob(state, picked[pair], P.inverseTemperature);
    entropy[pair] = entropy_of(state);
  }
}`,
}));

/** Fills the head's outputs: log-prob [pairs], entropy [pairs], log of the softmax's denominator [rows]. */
export function finishPairs(
  device: Device,
  states: Tensor,
  picked: Tensor,
  pairs: GroupedPairs,
  outputs: readonly Tensor[],
  inverseTemperature: number,
): void {
  const rows = rowsOf(states);
  device.dispatch(finishKernel(), {
    reads: [states, picked, pairs.starts, pairs.entries],
    writes: outputs,
    uniforms: [rows, inverseTemperature],
    groups: grid(device, rows),
  });
}
