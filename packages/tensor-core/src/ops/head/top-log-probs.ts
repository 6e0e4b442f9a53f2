// The likeliest ids of the head by row, and their log-probs. Full logits are never stored: a slice's likeliest ids are kept, then merged.
import { matrixShape, rowsOf } from "../../checked.ts";
import type { Device } from "../../device/device.ts";
import { TensorError } from "../../error.ts";
import { defineKernel } from "../../submit/kernel.ts";
import type { Tensor } from "../../tensor.ts";
import { type CaseInput, defineOp, expectDType, type OpCase, shapeError } from "../define.ts";
import { fill } from "../fill.ts";
import { minusInfinityWgsl } from "../non-finite-wgsl.ts";
import { dispatchTopK, LARGEST_K, orderOf } from "../top-k.ts";
import { grid, perItemHead } from "../wgsl.ts";
import { bannedMask, bannedWgsl, checkBannedIds } from "./banned.ts";
import { blockStates, type LogitSlice, mergeStates } from "./block-states.ts";
import { inverseTemperature } from "./log-probs.ts";
import type { LogProbOptions } from "./params.ts";
import { scaledLogits } from "./reference.ts";
import { chunkOf, forEachSlice, rowChunks, sliceLogits, sliceStride } from "./slices.ts";
import { outputsWgsl } from "./targets.ts";

export interface TopLogProbs {
  /** u32 [rows, k], the likeliest first; of equal ones the lower id. */
  readonly ids: Tensor;
  /** f32 [rows, k] */
  readonly logProbs: Tensor;
}

interface TopParams extends LogProbOptions {
  readonly k: number;
}

/** Of banned ids: below every finite logit. Only -infinity, which leaves the row without a distribution, ranks behind it. */
const LOWEST = -3.4028234e38;

/** Columns beyond the slice come last of all, banned ones before them. */
const maskKernel = defineKernel(() => ({
  name: "head_top_mask",
  reads: { banned: "u32" },
  writes: { logits: "f32" },
  uniforms: { items: "u32", stride: "u32", columns: "u32", firstColumn: "u32" },
  code: `${bannedWgsl}${minusInfinityWgsl}
${perItemHead}
  if (i >= P.items) { return; }
  let column = i % P.stride;
  if (column >= P.columns) { logits[i] = minus_infinity(); return; }
  if (is_banned(P.firstColumn + column)) { logits[i] = ${LOWEST}; }
}`,
}));

const placeKernel = defineKernel(() => ({
  name: "head_top_place",
  reads: { values: "f32", indices: "u32" },
  writes: { candidates: "f32", ids: "u32" },
  uniforms: { items: "u32", k: "u32", width: "u32", firstRow: "u32", at: "u32", firstColumn: "u32" },
  code: `${perItemHead}
  if (i >= P.items) { return; }
  let to = (P.firstRow + i / P.k) * P.width + P.at + i % P.k;
  candidates[to] = values[i];
  ids[to] = P.firstColumn + indices[i];
}`,
}));

const finishKernel = defineKernel(() => ({
  name: "head_top_finish",
  reads: { states: "vec4f", values: "f32" },
  writes: { logProbs: "f32" },
  uniforms: { items: "u32", k: "u32", inverseTemperature: "f32" },
  code: `${outputsWgsl}
${perItemHead}
  if (i >= P.items) { return; }
  logProbs[i] = log_prob(states[i / P.k], values[i], P.inverseTemperature);
}`,
}));

/**
 * The `k` likeliest ids after each row and their log-probs, by `log_softmax(hidden · weight^T / T)` over the vocabulary without the banned
 * ids: the bits that `logProbs` gives. Not differentiable. Throws `shape`, `dtype`, and `argument` for a k above 64 or above the ids there are.
 */
export const topLogProbs = defineOp({
  name: "topLogProbs",
  summary: "the k likeliest ids of linear and log-softmax by row, and their log-probs, over slices of the vocabulary",
  nonFinite: "NaN counts as likeliest",
  spreadsNonFinite: true,
  call: (hidden: Tensor, weight: Tensor, k: number, options: LogProbOptions = {}) => {
    const params: TopParams = { ...options, k };
    return { inputs: [hidden, weight], params };
  },
  infer: ([hidden, weight], { k, temperature = 1, bannedIds = [] }) => {
    expectDType("topLogProbs", hidden, "f32");
    expectDType("topLogProbs", weight, "f32", "bf16");
    const [rows, d, ...more] = hidden.shape;
    const [vocabulary, width, ...others] = weight.shape;
    if (rows === undefined || d !== width || !vocabulary || more.length + others.length > 0)
      shapeError("topLogProbs", `takes hidden [rows, d] and weight [vocabulary, d], not ${hidden} and ${weight}`);
    inverseTemperature(temperature);
    const most = Math.min(LARGEST_K, vocabulary - checkBannedIds(vocabulary, bannedIds).size);
    if (!Number.isInteger(k) || k < 1 || k > most)
      throw new TensorError("argument", `topLogProbs: k is ${k}, but must be a whole number from 1 to ${most}`);
    return [{ shape: [rows, k], dtype: "u32" as const }, { shape: [rows, k] }];
  },
  run: (device, [hidden, weight], [ids, logProbs], { k, temperature = 1, bannedIds = [] }) => {
    const inverse = inverseTemperature(temperature);
    const [rows] = matrixShape(hidden);
    const vocabulary = rowsOf(weight);
    const banned = bannedMask(device, vocabulary, bannedIds);
    const states = fill(device, [rows, 4], 0);
    const stride = sliceStride(vocabulary);
    const width = Math.ceil(vocabulary / stride) * k;
    const candidates = { values: device.empty([rows, width]), ids: device.empty([rows, width], "u32"), width };
    forEachSlice(weight, (slice) => {
      for (const chunk of rowChunks(rows)) {
        const input = chunkOf(hidden, chunk);
        const made = sliceLogits(input, slice, stride);
        const partial = blockStates(device, made, banned, inverse);
        const running = chunkOf(states, chunk);
        mergeStates(device, running, partial, inverse);
        keepLikeliest(device, made, chunk.firstRow, banned, k, candidates);
        for (const tensor of [input, made.logits, partial, running]) tensor.dispose();
      }
    });
    const values = device.empty([rows, k]);
    dispatchTopK(device, candidates.values, candidates.ids, [values, ids], { rows, width, k });
    device.dispatch(finishKernel(), {
      reads: [states, values],
      writes: [logProbs],
      uniforms: [rows * k, k, inverse],
      groups: grid(device, rows * k),
    });
    for (const tensor of [banned, states, candidates.values, candidates.ids, values]) tensor.dispose();
  },
  result: ([ids, logProbs]): TopLogProbs => ({ ids, logProbs }),
  reference: ([hidden, weight], { k, temperature = 1, bannedIds = [] }) => {
    const banned = new Set(bannedIds);
    const scores = scaledLogits(hidden, weight, temperature, banned);
    const shape = [scores.length, k];
    const chosen = scores.map((row) => orderOf(row.map((x, id) => (banned.has(id) ? LOWEST : x))).slice(0, k));
    const logProbs = scores.flatMap((row, r) => {
      const largest = row.reduce((a, b) => Math.max(a, b));
      const total = largest + Math.log(row.reduce((sum, x) => sum + Math.exp(x - largest), 0));
      return (chosen[r] ?? []).map((id) => (row[id] ?? Number.NaN) - total);
    });
    return [
      { shape, data: Float64Array.from(chosen.flat()) },
      { shape, data: Float64Array.from(logProbs) },
    ];
  },
  cases: [
    topCase("small, two of five", { rows: 3, d: 4, vocabulary: 5 }, { k: 2 }),
    topCase("two of three that are left", { rows: 2, d: 4, vocabulary: 5 }, { k: 2, bannedIds: [0, 3] }),
    topCase("no rows", { rows: 0, d: 4, vocabulary: 5 }, { k: 2 }),
    topCase(
      "blocks, ragged, cold, banned",
      { rows: 5, d: 6, vocabulary: 777 },
      { k: 9, temperature: 0.7, bannedIds: [1, 776] },
    ),
    topCase("bf16, two slices, the second short", { rows: 4, d: 8, vocabulary: 2053, dtype: "bf16" }, { k: 12 }),
    topCase("two chunks of rows", { rows: 1030, d: 4, vocabulary: 300, full: true }, { k: 2 }),
    topCase("wide", { rows: 9, d: 32, vocabulary: 9000, full: true }, { k: 64, temperature: 2 }),
  ],
});

function topCase(
  name: string,
  {
    rows,
    d,
    vocabulary,
    dtype = "f32",
    full = false,
  }: { rows: number; d: number; vocabulary: number; dtype?: "f32" | "bf16"; full?: boolean },
  params: TopParams,
): OpCase<TopParams> {
  const inputs: CaseInput[] = [{ shape: [rows, d] }, { shape: [vocabulary, d], dtype }];
  return { name, inputs, params, tolerance: 1e-5, full };
}

function keepLikeliest(
  device: Device,
  { logits, rows, columns, stride, firstColumn }: LogitSlice,
  firstRow: number,
  banned: Tensor,
  k: number,
  candidates: { readonly values: Tensor; readonly ids: Tensor; readonly width: number },
): void {
  device.dispatch(maskKernel(), {
    reads: [banned],
    writes: [logits],
    uniforms: [rows * stride, stride, columns, firstColumn],
    groups: grid(device, rows * stride),
  });
  const found = [device.empty([rows, k]), device.empty([rows, k], "u32")] as const;
  dispatchTopK(device, logits, undefined, found, { rows, width: stride, k });
  device.dispatch(placeKernel(), {
    reads: found,
    writes: [candidates.values, candidates.ids],
    uniforms: [rows * k, k, candidates.width, firstRow, (firstColumn / stride) * k, firstColumn],
    groups: grid(device, rows * k),
  });
  for (const tensor of found) tensor.dispose();
}
