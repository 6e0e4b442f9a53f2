// The Kullback-Leibler divergence of two heads, fused with both last linear layers. Full logits are never stored.
import { matrixShape, rowsOf } from "../../checked.ts";
import type { Device } from "../../device/device.ts";
import { TensorError } from "../../error.ts";
import type { Tensor } from "../../tensor.ts";
import { concat } from "../concat.ts";
import { defineOp, expectDType, shapeError } from "../define.ts";
import { fill } from "../fill.ts";
import { reshape } from "../reshape.ts";
import { bannedMask, checkBannedIds } from "./banned.ts";
import { blockStates, type LogitSlice, mergeStates } from "./block-states.ts";
import { divergenceCases } from "./divergence-cases.ts";
import { addDivergence, divergenceGradient, type LogitPair } from "./divergence-kernels.ts";
import { divergenceReference } from "./divergence-reference.ts";
import { headGradients } from "./gradient-sweep.ts";
import { inverseTemperature } from "./log-probs.ts";
import { groupPairs } from "./pairs.ts";
import type { DivergenceOptions } from "./params.ts";
import { readRows } from "./row-slice.ts";
import { chunkOf, forEachSlice, type RowChunk, rowChunks, sliceLogits, sliceStride } from "./slices.ts";
import { finishPairs } from "./targets.ts";

/**
 * [rows] nats. With p = softmax(hidden · weight^T / T) and q of the other head, over the vocabulary without the banned ids: `forward`
 * KL(q ‖ p), `reverse` KL(p ‖ q). `hidden` f32 [rows, d] and `otherHidden` f32 [rows, e] belong row to row; `weight` [vocabulary, d] and
 * `otherWeight` [vocabulary, e] are f32 or bf16 and may be row-sharded. Ids that only one head has must be banned where it is the first;
 * those that only the other has are left out. Differentiable by `hidden` and `weight`; the other head is constant. The bits of a row depend
 * on its rows and the options alone; NaN where a logit of either is NaN or infinite. Throws `shape`, `dtype`, `argument`.
 */
export const headDivergence = defineOp({
  name: "headDivergence",
  summary: "Kullback-Leibler divergence by row of two heads, linear layers included, over slices of the vocabulary",
  call: (hidden: Tensor, weight: Tensor, otherHidden: Tensor, otherWeight: Tensor, options: DivergenceOptions) => ({
    inputs: [hidden, weight, otherHidden, otherWeight],
    params: options,
  }),
  infer: ([hidden, weight, otherHidden, otherWeight], { temperature = 1, bannedIds = [] }) => {
    const rows = checkHead(hidden, weight);
    if (checkHead(otherHidden, otherWeight) !== rows)
      shapeError("headDivergence", `the rows of ${hidden} and ${otherHidden} do not belong to each other`);
    inverseTemperature(temperature);
    const [vocabulary, others] = [rowsOf(weight), rowsOf(otherWeight)];
    const banned = checkBannedIds(vocabulary, bannedIds);
    for (let id = others; id < vocabulary; id++)
      if (!banned.has(id))
        throw new TensorError("argument", `headDivergence: the other head has ${others} ids: id ${id} must be banned`);
    return [{ shape: [rows] }, { shape: [rows] }, { shape: [rows] }];
  },
  run: (device, inputs, [divergence, own, other], { direction, temperature = 1, bannedIds = [] }) => {
    const [hidden, weight] = inputs;
    const inverse = inverseTemperature(temperature);
    const rows = rowsOf(hidden);
    const banned = bannedMask(device, rowsOf(weight), bannedIds);
    const states = [fill(device, [rows, 4], 0), fill(device, [rows, 4], 0)] as const;
    const normalizers = { own, other };
    sweep(inputs, (pair, chunk) => {
      const slices = [pair.own, { ...pair.own, logits: pair.other }] as const;
      for (const [k, slice] of slices.entries()) {
        const partial = blockStates(device, slice, banned, inverse);
        const running = chunkOf(states[k as 0 | 1], chunk);
        mergeStates(device, running, partial, inverse);
        for (const tensor of [partial, running]) tensor.dispose();
      }
    });
    finish(device, states[0], own, inverse);
    finish(device, states[1], other, inverse);
    const zeros = fill(device, [rows], 0);
    device.copyBytes(zeros, 0, divergence, 0, 4 * rows);
    sweep(inputs, (pair, { firstRow }) =>
      addDivergence(device, pair, firstRow, banned, normalizers, divergence, {
        direction,
        inverseTemperature: inverse,
      }),
    );
    for (const tensor of [banned, zeros, ...states]) tensor.dispose();
  },
  result: ([divergence, own, other]) => {
    own.dispose();
    other.dispose();
    return divergence;
  },
  saves: { inputs: [0, 1, 2, 3], outputs: [0, 1, 2] },
  vjp: ({ inputs, outputs: [divergence, own, other], params, cotangents, needs }) => {
    const [hidden, weight] = inputs;
    const { device } = hidden;
    const { direction, temperature = 1, bannedIds = [] } = params;
    const banned = bannedMask(device, rowsOf(weight), bannedIds);
    const [ofDivergence, ofNormalizer] = cotangents;
    const column = (given: Tensor | undefined): Tensor =>
      reshape(given ?? fill(device, divergence.shape, 0), [divergence.size, 1]);
    const call = { divergence, cotangents: concat([column(ofDivergence), column(ofNormalizer)], 1) };
    const options = { direction, inverseTemperature: inverseTemperature(temperature) };
    const [ofHidden, ofWeight] = headGradients(device, {
      ...{ hidden, weight, needs: [needs[0], needs[1]] },
      toGradient: (slice, chunk) => {
        const pair = withOther(inputs, slice, chunk);
        divergenceGradient(device, pair, chunk.firstRow, banned, { own, other }, call, options);
        pair.other.dispose();
      },
    });
    return [ofHidden, ofWeight, undefined, undefined];
  },
  reference: (inputs, params) => divergenceReference(inputs, params),
  cases: divergenceCases,
});

type Heads = readonly [hidden: Tensor, weight: Tensor, otherHidden: Tensor, otherWeight: Tensor];

/** Rows of a head's hidden states. */
function checkHead(hidden: Tensor, weight: Tensor): number {
  expectDType("headDivergence", hidden, "f32");
  expectDType("headDivergence", weight, "f32", "bf16");
  const [rows, d, ...more] = hidden.shape;
  const [vocabulary, width, ...others] = weight.shape;
  if (rows === undefined || d !== width || !vocabulary || more.length + others.length > 0)
    shapeError("headDivergence", `takes hidden [rows, d] and weight [vocabulary, d], not ${hidden} and ${weight}`);
  return rows;
}

/** Calls `visit` with the logits of both heads, slice by slice and within it chunk by chunk of the rows. */
function sweep(heads: Heads, visit: (pair: LogitPair, chunk: RowChunk) => void): void {
  const [hidden, weight] = heads;
  const stride = sliceStride(rowsOf(weight));
  forEachSlice(weight, (slice) => {
    for (const chunk of rowChunks(rowsOf(hidden))) {
      const input = chunkOf(hidden, chunk);
      const pair = withOther(heads, sliceLogits(input, slice, stride), chunk);
      visit(pair, chunk);
      for (const tensor of [input, pair.own.logits, pair.other]) tensor.dispose();
    }
  });
}

/** The other head's logits of the same rows and ids, in rows of the same stride; of ids that it does not have they are undefined. */
function withOther([, , otherHidden, otherWeight]: Heads, own: LogitSlice, chunk: RowChunk): LogitPair {
  const { device } = otherHidden;
  const [vocabulary] = matrixShape(otherWeight);
  const columns = Math.min(own.columns, vocabulary - own.firstColumn);
  if (columns <= 0) return { own, other: device.empty([own.rows, own.stride]) };
  const weight = readRows(otherWeight, own.firstColumn, columns);
  const input = chunkOf(otherHidden, chunk);
  const { logits } = sliceLogits(input, { firstColumn: own.firstColumn, columns, weight }, own.stride);
  for (const tensor of [weight, input]) tensor.dispose();
  return { own, other: logits };
}

/** The log of the softmax's denominator of each row. */
function finish(device: Device, states: Tensor, normalizers: Tensor, inverse: number): void {
  const none = groupPairs(device, { rows: [], targets: [] }, rowsOf(states));
  const [picked, logProb, entropy] = [device.empty([0]), device.empty([0]), device.empty([0])];
  finishPairs(device, states, picked, none, [logProb, entropy, normalizers], inverse);
  for (const tensor of [none.starts, none.entries, picked, logProb, entropy]) tensor.dispose();
}
