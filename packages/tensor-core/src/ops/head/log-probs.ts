// The head: log-probs and entropies of wanted ids, fused with the last linear layer. Full logits are never stored.
import { rowsOf } from "../../checked.ts";
import { TensorError } from "../../error.ts";
import type { Tensor } from "../../tensor.ts";
import { defineOp, expectDType, shapeError } from "../define.ts";
import { fill } from "../fill.ts";
import { headBackward } from "./backward.ts";
import { bannedMask, checkBannedIds } from "./banned.ts";
import { blockStates, mergeStates } from "./block-states.ts";
import { headCases } from "./cases.ts";
import { checkPairs, groupPairs, type TargetPairs } from "./pairs.ts";
import type { HeadParams, LogProbOptions } from "./params.ts";
import { headReference } from "./reference.ts";
import { chunkOf, forEachSlice, rowChunks, sliceLogits, sliceStride } from "./slices.ts";
import { finishPairs, pickTargets } from "./targets.ts";

export interface LogProbs {
  /** f32 [pairs]: `log_softmax(hidden[row] · weight^T / T)[target]` over the vocabulary without the banned ids. */
  readonly logProb: Tensor;
  /** f32 [pairs]: the entropy of that distribution in nats. */
  readonly entropy: Tensor;
}

/** Below it, 1 / T times a logit may leave f32's range. */
const LOWEST_TEMPERATURE = 1e-30;

/** 1 / T as log-probs use it. Throws `argument` for a temperature that is not finite, below 0, or above it but below 1e-30. */
export function inverseTemperature(temperature: number): number {
  const inRange = temperature >= LOWEST_TEMPERATURE && temperature < Number.POSITIVE_INFINITY;
  if (temperature !== 0 && !inRange)
    throw new TensorError("argument", `a temperature is 0 or at least ${LOWEST_TEMPERATURE}, not ${temperature}`);
  return temperature === 0 ? 1 : 1 / temperature;
}

/**
 * Log-prob and entropy for (row, target) pairs. `hidden` f32 [rows, d] holds the wanted rows only; `weight` f32 or bf16 [vocabulary, d]
 * may be row-sharded. Differentiable by both through both outputs. The bits of an output depend on its row, target and options alone,
 * and are those that `sample` gives with the same logits; NaN where a logit of the row is NaN or infinite. Throws `shape`, `dtype`, and `argument` for a pair outside the matrices or
 * a banned target.
 */
export const logProbs = defineOp({
  name: "logProbs",
  summary: "linear, log-prob and entropy of (row, target) pairs in one, over slices of the vocabulary",
  call: (hidden: Tensor, weight: Tensor, pairs: TargetPairs, options: LogProbOptions = {}) => {
    const params: HeadParams = { ...options, pairs };
    return { inputs: [hidden, weight], params };
  },
  infer: ([hidden, weight], { pairs, temperature = 1, bannedIds = [] }) => {
    expectDType("logProbs", hidden, "f32");
    expectDType("logProbs", weight, "f32", "bf16");
    const [rows, d, ...more] = hidden.shape;
    const [vocabulary, width, ...others] = weight.shape;
    if (rows === undefined || d !== width || !vocabulary || more.length + others.length > 0)
      shapeError("logProbs", `takes hidden [rows, d] and weight [vocabulary, d], not ${hidden} and ${weight}`);
    inverseTemperature(temperature);
    checkPairs(pairs, rows, vocabulary, checkBannedIds(vocabulary, bannedIds));
    return [{ shape: [pairs.rows.length] }, { shape: [pairs.rows.length] }, { shape: [rows] }];
  },
  run: (device, [hidden, weight], outputs, { pairs, temperature = 1, bannedIds = [] }) => {
    const inverse = inverseTemperature(temperature);
    const rows = rowsOf(hidden);
    const vocabulary = rowsOf(weight);
    const banned = bannedMask(device, vocabulary, bannedIds);
    const grouped = groupPairs(device, pairs, rows);
    const states = fill(device, [rows, 4], 0);
    const picked = device.empty([pairs.rows.length]);
    const stride = sliceStride(vocabulary);
    forEachSlice(weight, (slice) => {
      for (const chunk of rowChunks(rows)) {
        const input = chunkOf(hidden, chunk);
        const made = sliceLogits(input, slice, stride);
        const partial = blockStates(device, made, banned, inverse);
        const running = chunkOf(states, chunk);
        mergeStates(device, running, partial, inverse);
        pickTargets(device, made, chunk.firstRow, grouped, picked);
        for (const tensor of [input, made.logits, partial, running]) tensor.dispose();
      }
    });
    finishPairs(device, states, picked, grouped, outputs, inverse);
    for (const tensor of [banned, grouped.starts, grouped.entries, states, picked]) tensor.dispose();
  },
  result: ([logProb, entropy, logNormalizer]): LogProbs => {
    logNormalizer.dispose();
    return { logProb, entropy };
  },
  saves: { inputs: [0, 1], outputs: [1, 2] },
  vjp: ({ inputs: [hidden, weight], outputs: [, entropy, logNormalizer], params, cotangents, needs, into }) => {
    const { device } = hidden;
    const { pairs, temperature = 1, bannedIds = [] } = params;
    return headBackward(device, {
      hidden,
      weight,
      pairs: groupPairs(device, pairs, rowsOf(hidden)),
      banned: bannedMask(device, rowsOf(weight), bannedIds),
      entropy,
      logNormalizer,
      cotangents,
      inverseTemperature: inverseTemperature(temperature),
      needs,
      into: into[1],
    });
  },
  reference: ([hidden, weight], params) => headReference(hidden, weight, params),
  cases: headCases,
});
