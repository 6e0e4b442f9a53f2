// States of the blocks of a row of logits, and their merge, for everything that computes a log-prob. On software adapters a thread takes a block, and a
// row's merge; elsewhere a workgroup does.
import { at } from "../../checked.ts";
import type { Device } from "../../device/device.ts";
import { defineKernel } from "../../submit/kernel.ts";
import type { Tensor } from "../../tensor.ts";
import { grid, perItemHead, THREADS } from "../wgsl.ts";
import { bannedWgsl } from "./banned.ts";
import { BLOCKS_AT_ONCE, blockBindings, laneBlockKernel, laneMergeKernel, mergeBindings } from "./softmax-lanes.ts";
import { sortKeyWgsl, stateWgsl, VOCABULARY_BLOCK } from "./softmax-state.ts";

const blockKernel = defineKernel((truncated: boolean) => ({
  name: `softmax_blocks${truncated ? "/truncated" : ""}`,
  reads: { logits: "f32", banned: "u32", ...(truncated ? { thresholds: "u32" as const } : {}) },
  ...blockBindings,
  code: `${bannedWgsl}${stateWgsl}${truncated ? sortKeyWgsl : ""}
${perItemHead}
  if (i >= P.items) { return; }
  let row = i / P.blocks;
  let first = (i % P.blocks) * ${VOCABULARY_BLOCK}u;
  let last = min(first + ${VOCABULARY_BLOCK}u, P.columns);
  let base = row * P.stride;
  ${truncated ? "let threshold = thresholds[row];" : ""}
  var state = vec4f(LOWEST, 0.0, 0.0, 0.0);
  for (var c = first; c < last; c++) {
    if (!is_banned(P.firstColumn + c)) { state.x = max(state.x, logits[base + c]); }
  }
  for (var c = first; c < last; c++) {
    let logit = logits[base + c];
    if (!is_banned(P.firstColumn + c)${truncated ? " && sort_key(logit) >= threshold" : ""}) {
      state = add_logit(state, logit, P.inverseTemperature);
    }
  }
  states[i] = state;
}`,
}));

const mergeKernel = defineKernel(() => ({
  name: "softmax_merge",
  ...mergeBindings,
  code: `${stateWgsl}
${perItemHead}
  if (i >= P.rows) { return; }
  var state = running[i];
  for (var block = 0u; block < P.blocks; block++) {
    state = merge_states(state, states[i * P.blocks + block], P.inverseTemperature);
  }
  running[i] = state;
}`,
}));

/** Columns `firstColumn` (a multiple of 256) and on of the logits: `columns` of them in rows of `stride` elements. */
export interface LogitSlice {
  readonly logits: Tensor;
  readonly rows: number;
  readonly columns: number;
  readonly stride: number;
  readonly firstColumn: number;
}

/**
 * States of each row's blocks, f32 [rows, blocks, 4]. With `thresholds` (u32 [rows], sort keys), logits below their row's are left out
 * of the sums, not of the largest logit, which is above any threshold.
 */
export function blockStates(
  device: Device,
  slice: LogitSlice,
  banned: Tensor,
  inverseTemperature: number,
  thresholds?: Tensor,
): Tensor {
  const { logits, rows, columns, stride, firstColumn } = slice;
  const blocks = Math.ceil(columns / VOCABULARY_BLOCK);
  const states = device.empty([rows, blocks, 4]);
  const truncated = thresholds !== undefined;
  const byThread = device.facts.family === "software";
  device.dispatch(byThread ? blockKernel(truncated) : laneBlockKernel(truncated, stride % 4 === 0), {
    reads: thresholds ? [logits, banned, thresholds] : [logits, banned],
    writes: [states],
    uniforms: [rows * blocks, blocks, stride, columns, firstColumn, inverseTemperature],
    groups: grid(device, rows * blocks, byThread ? THREADS : BLOCKS_AT_ONCE),
  });
  return states;
}

/** Merges block states into each row's running state (f32 [rows, 4]; all zeros is empty), ascending. */
export function mergeStates(device: Device, running: Tensor, states: Tensor, inverseTemperature: number): void {
  const [rows, blocks] = [at(states.shape, 0), at(states.shape, 1)];
  const byThread = device.facts.family === "software";
  device.dispatch(byThread ? mergeKernel() : laneMergeKernel(), {
    reads: [states],
    writes: [running],
    uniforms: [rows, blocks, inverseTemperature],
    groups: grid(device, rows, byThread ? THREADS : 1),
  });
}
