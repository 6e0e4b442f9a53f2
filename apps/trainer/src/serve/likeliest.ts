// The likeliest tokens at each place of answers: one more pass, over the answers as they stand behind their prompt.
import { type GeneratedTurn, packGroups, type QwenVLModel, turnSequence } from "@iapo/qwen-vl-model";
import { gatherRows, linear, noGrad, RowIndex, scope } from "@iapo/tensor-core";
import type { AnswerSampling, Prompt } from "./served-model.ts";

/** Rows of logits that are read back at a time: 20 MB with a vocabulary of 152,000. */
const ROWS_AT_ONCE = 32;

export interface LikelyToken {
  readonly id: number;
  readonly logProb: number;
}

/**
 * The `count` likeliest ids before each token of each turn, the likeliest first, of equal ones the lowest id first, with log-probs as those of
 * the sampled tokens are: at the temperature (1 where it is 0), over all ids but the banned ones, without truncation.
 * @throws the reason of the signal; TensorError `out_of_memory`
 */
export async function likeliestTokens(
  model: QwenVLModel,
  prompt: Prompt,
  turns: readonly GeneratedTurn[],
  { temperature, bannedIds }: AnswerSampling,
  count: number,
  signal: AbortSignal,
): Promise<LikelyToken[][][]> {
  const { device, config } = model;
  const responses = turns.map((turn) => ({
    ...turnSequence(turn),
    targets: new Uint8Array(turn.tokens.length).fill(1),
  }));
  const batch = packGroups(config, [{ prompt, responses }]);
  const uploaded = model.upload(batch);
  const found: LikelyToken[][] = [];
  try {
    using hidden = noGrad(() => scope(() => model.hidden(model.embed(uploaded), uploaded)));
    for (let start = 0; start < batch.targetRows.length; start += ROWS_AT_ONCE) {
      signal.throwIfAborted();
      const rows = batch.targetRows.slice(start, start + ROWS_AT_ONCE);
      using logits = noGrad(() =>
        scope(() => linear(gatherRows(hidden, RowIndex.of(device, rows, batch.tokens.length)), model.head)),
      );
      const values = (await logits.values()) as Float32Array;
      const { vocabSize } = config.text;
      for (const row of rows.keys()) {
        const own = values.subarray(row * vocabSize, (row + 1) * vocabSize);
        found.push(likeliest(own, count, bannedIds, temperature || 1));
      }
    }
  } finally {
    model.release(uploaded);
  }
  const { responseStarts } = batch;
  return turns.map((_, i) => found.slice(responseStarts[i], responseStarts[i + 1]));
}

/** Of one row of logits, in which banned ids are struck out. */
function likeliest(logits: Float32Array, count: number, banned: readonly number[], temperature: number): LikelyToken[] {
  for (const id of banned) logits[id] = Number.NEGATIVE_INFINITY;
  const best: { id: number; logit: number }[] = [];
  for (let id = 0; id < logits.length; id++) {
    const logit = logits[id] ?? Number.NaN;
    const last = best[count - 1];
    if (last ? logit <= last.logit : logit === Number.NEGATIVE_INFINITY) continue;
    const place = best.findIndex((other) => logit > other.logit);
    best.splice(place < 0 ? best.length : place, 0, { id, logit });
    best.length = Math.min(best.length, count);
  }
  const largest = best[0]?.logit ?? 0;
  let sum = 0;
  for (let id = 0; id < logits.length; id++) sum += Math.exp(((logits[id] ?? Number.NaN) - largest) / temperature);
  return best.map(({ id, logit }) => ({ id, logProb: (logit - largest) / temperature - Math.log(sum) }));
}
