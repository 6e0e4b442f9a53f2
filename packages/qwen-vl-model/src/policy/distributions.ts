// The whole distribution of each sampled token, as the rollout's kernels give it beside the update's.
import type { Trajectory } from "@iapo/rollout-trace";
import { gatherRows, linear, noGrad, RowIndex, scope } from "@iapo/tensor-core";
import { at } from "../checked.ts";
import { logitsAgain } from "../generation/again.ts";
import type { PassOptions } from "../generation/pass.ts";
import type { PredictingRows, QwenVLPolicy } from "./policy.ts";

export interface DistributionComparison {
  /** That were sampled. */
  readonly tokens: number;
  /** Whose logits are the same, to the bit, for every id. */
  readonly equal: number;
  /** Largest of log-probs, over all ids that could be sampled. */
  readonly largestDifference: number;
  /** KL(rollout || update) of a token at most, in nats. */
  readonly largestDivergence: number;
  /** Largest between the log-prob of the sampled id as it was recorded, and as the rollout's kernels give it now. */
  readonly largestFromRecorded: number;
}

/** Rows whose logits are read at once. */
const ROWS = 32;

/**
 * Decodes a trace again, token by token, and computes it in one pass as an update does. Where the weights are those that wrote it, recorded and
 * decoded log-probs are equal; where rollout and update agree, so are all logits. Log-softmax and KL are formed in f64.
 * @throws QwenVLError `positions`; TensorError `out_of_memory`; the reason of the signal
 */
export async function compareDistributions(
  policy: QwenVLPolicy,
  trace: Trajectory,
  options: PassOptions = {},
): Promise<DistributionComparison> {
  const { model, images } = policy;
  const decoded: Float32Array[] = [];
  for await (const logits of logitsAgain(model, trace.turns, (image) => images.get(image), options))
    decoded.push(logits);
  const recorded = trace.turns.flatMap(({ logProbs }) => [...logProbs]);
  const ids = trace.turns.flatMap(({ tokens, lossMask }) => [...tokens.filter((_, i) => lossMask[i] === 1)]);
  const found = { tokens: ids.length, equal: 0, largestDifference: 0, largestDivergence: 0, largestFromRecorded: 0 };
  for await (const { token, logits, temperature, bannedIds } of logitsOfUpdate(policy, trace)) {
    const [rollout, update] = [at(decoded, token), logits];
    const [p, q] = [logSoftmax(rollout, temperature, bannedIds), logSoftmax(update, temperature, bannedIds)];
    if (rollout.every((value, id) => Object.is(value, update[id]))) found.equal++;
    let divergence = 0;
    for (const [id, logP] of p.entries()) {
      if (logP === Number.NEGATIVE_INFINITY) continue;
      const difference = logP - (q[id] ?? Number.NaN);
      found.largestDifference = Math.max(found.largestDifference, Math.abs(difference));
      divergence += Math.exp(logP) * difference;
    }
    found.largestDivergence = Math.max(found.largestDivergence, divergence);
    const now = p[at(ids, token)] ?? Number.NaN;
    found.largestFromRecorded = Math.max(found.largestFromRecorded, Math.abs(now - at(recorded, token)));
  }
  return found;
}

interface UpdateLogits extends Pick<PredictingRows, "temperature" | "bannedIds"> {
  /** Its place among the sampled tokens of the trace. */
  readonly token: number;
  readonly logits: Float32Array;
}

async function* logitsOfUpdate(policy: QwenVLPolicy, trace: Trajectory): AsyncGenerator<UpdateLogits> {
  const { device } = policy;
  const packed = policy.pack([[trace]]);
  const { logProb, entropy, rows: classes = [] } = noGrad(() => packed.logProbs({ keepRows: true }));
  try {
    for (const { hidden, head, rows, tokens, temperature, bannedIds } of classes) {
      for (let first = 0; first < rows.length; first += ROWS) {
        const index = rows.subarray(first, first + ROWS);
        using logits = noGrad(() =>
          scope(() => linear(gatherRows(hidden, RowIndex.of(device, index, hidden.shape[0] ?? 0)), head)),
        );
        const values = (await logits.values()) as Float32Array;
        const width = values.length / index.length;
        for (const [i, token] of tokens.subarray(first, first + ROWS).entries())
          yield { token, logits: values.subarray(i * width, (i + 1) * width), temperature, bannedIds };
      }
    }
  } finally {
    for (const tensor of [logProb, entropy, ...classes.map(({ hidden }) => hidden)]) tensor.dispose();
    packed.dispose();
  }
}

/** Of logits over the temperature (1 where it is 0), without the banned ids, whose log-prob is -infinity. */
function logSoftmax(logits: Float32Array, temperature: number, bannedIds: readonly number[]): Float64Array {
  const scaled = Float64Array.from(logits, (value) => value / (temperature || 1));
  for (const id of bannedIds) if (id < scaled.length) scaled[id] = Number.NEGATIVE_INFINITY;
  const top = scaled.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
  const total = top + Math.log(scaled.reduce((sum, value) => sum + Math.exp(value - top), 0));
  return scaled.map((value) => value - total);
}
