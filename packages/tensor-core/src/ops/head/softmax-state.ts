// The running state of a softmax over the vocabulary, and its canonical order, which everything that computes a log-prob keeps, so that
// all of them give equal bits: blocks of 256 ids ascending from id 0; within a block the largest logit, then serial sums in ascending ids;
// block states are merged in ascending order, from the empty state, by `merge_states`. Slices, shards and batches do not change it.
import { at } from "../../checked.ts";
import type { Device } from "../../device/device.ts";
import { defineKernel } from "../../submit/kernel.ts";
import type { Tensor } from "../../tensor.ts";
import { nonFiniteScalarWgsl } from "../non-finite-wgsl.ts";
import { grid, perItemHead } from "../wgsl.ts";
import { bannedWgsl } from "./banned.ts";

/** Ids of a block. Slices of the vocabulary start at multiples of it. */
export const VOCABULARY_BLOCK = 256;

/**
 * A state is (largest logit m, sum of e, sum of e d, unused), where d = (logit - m) / T and e = exp(d); a sum of 0 means empty.
 * Terms below exp(-87), the smallest normal f32, count as 0; a logit of NaN or infinity makes the sums NaN. Then log-sum-exp is m / T + log(sum), and the entropy is
 * log(sum) - (sum of e d) / sum.
 */
export const stateWgsl: string = /* wgsl */ `${nonFiniteScalarWgsl}
const LOWEST = -3.4028234e38;
fn scaled(logit: f32, largest: f32, inverse_temperature: f32) -> f32 {
  return (logit - largest) * inverse_temperature;
}
fn add_logit(state: vec4f, logit: f32, inverse_temperature: f32) -> vec4f {
  let d = scaled(logit, state.x, inverse_temperature);
  let bounded = max(d, -87.0);
  let e = select(select(0.0, exp(bounded), d > -87.0), d, is_nan(d));
  return vec4f(state.x, state.y + e, fma(e, bounded, state.z), 0.0);
}
fn merge_states(a: vec4f, b: vec4f, inverse_temperature: f32) -> vec4f {
  if (bitcast<u32>(a.y) == 0u) { return b; }
  if (bitcast<u32>(b.y) == 0u) { return a; }
  let largest = max(a.x, b.x);
  let a_shift = max(scaled(a.x, largest, inverse_temperature), -87.0);
  let b_shift = max(scaled(b.x, largest, inverse_temperature), -87.0);
  let a_scale = exp(a_shift);
  let b_scale = exp(b_shift);
  return vec4f(
    largest,
    fma(b_scale, b.y, a_scale * a.y),
    fma(b_scale, fma(b_shift, b.y, b.z), a_scale * fma(a_shift, a.y, a.z)),
    0.0);
}`;

/** `fn sort_key(x) -> u32`: larger floats have larger keys; the two zeros have one. */
export const sortKeyWgsl: string = /* wgsl */ `
fn sort_key(x: f32) -> u32 {
  let bits = bitcast<u32>(x);
  return select(bits | 0x80000000u, ~bits, bits > 0x80000000u);
}`;

const blockKernel = defineKernel((truncated: boolean) => ({
  name: `softmax_blocks${truncated ? "/truncated" : ""}`,
  reads: { logits: "f32", banned: "u32", ...(truncated ? { thresholds: "u32" as const } : {}) },
  writes: { states: "vec4f" },
  uniforms: {
    items: "u32",
    blocks: "u32",
    stride: "u32",
    columns: "u32",
    firstColumn: "u32",
    inverseTemperature: "f32",
  },
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
  reads: { states: "vec4f" },
  writes: { running: "vec4f" },
  uniforms: { rows: "u32", blocks: "u32", inverseTemperature: "f32" },
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
  device.dispatch(blockKernel(thresholds !== undefined), {
    reads: thresholds ? [logits, banned, thresholds] : [logits, banned],
    writes: [states],
    uniforms: [rows * blocks, blocks, stride, columns, firstColumn, inverseTemperature],
    groups: grid(device, rows * blocks),
  });
  return states;
}

/** Merges block states into each row's running state (f32 [rows, 4]; all zeros is empty), ascending. */
export function mergeStates(device: Device, running: Tensor, states: Tensor, inverseTemperature: number): void {
  const [rows, blocks] = [at(states.shape, 0), at(states.shape, 1)];
  device.dispatch(mergeKernel(), {
    reads: [states],
    writes: [running],
    uniforms: [rows, blocks, inverseTemperature],
    groups: grid(device, rows),
  });
}
