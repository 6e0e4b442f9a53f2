// How the terms of tokens become one number. R responses, N tokens, |o_i| tokens that count in response i.
import { GrpoError } from "../error.ts";
import { at, counts as countsIn, forEachRow, rowTokens, type TokenBatch } from "./batch.ts";

/**
 * - `token`: every token weighs `1 / sum_i |o_i|` (DAPO; verl `token-mean`).
 * - `sequence`: every response weighs the same, `1 / (S |o_i|)` a token (GRPO; verl `seq-mean-token-mean`).
 * - `constant`: every token weighs `1 / (S length)`, so that long answers are not favored (Dr. GRPO).
 *
 * S is the number of responses with a token that counts. `tokens` and `sequences` stand in for the counts of the batch: where a
 * mini-batch is worked off in pieces, pass those of the whole, and the pieces' gradients add up to its gradient.
 */
export type Aggregation =
  | { readonly kind: "token"; readonly tokens?: number | undefined }
  | { readonly kind: "sequence"; readonly sequences?: number | undefined }
  | { readonly kind: "constant"; readonly length: number; readonly sequences?: number | undefined };

/** Tokens that count, and responses with one. */
export type BatchCounts = { readonly tokens: number; readonly sequences: number };

/** The counts to pass on to the pieces of a mini-batch. */
export function batchCounts({ offsets, mask }: Pick<TokenBatch, "offsets" | "mask">): BatchCounts {
  const lengths = rowTokens(offsets, mask);
  return {
    tokens: lengths.reduce((sum, length) => sum + length, 0),
    sequences: lengths.filter((length) => length > 0).length,
  };
}

/** The aggregation that a loss asks for. @throws GrpoError `argument` for `constant` without a length */
export function aggregationOf(
  loss: { readonly aggregation: Aggregation["kind"]; readonly constantLength?: number | undefined },
  counts?: BatchCounts | undefined,
): Aggregation {
  if (loss.aggregation !== "constant") return { kind: loss.aggregation, ...counts };
  if (loss.constantLength === undefined) {
    const what = "the loss divides by a constant";
    throw new GrpoError("argument", `${what}; set constantLength, such as to the longest response allowed`);
  }
  return { kind: "constant", length: loss.constantLength, sequences: counts?.sequences };
}

/** [N] what each token weighs; 0 where it does not count. @throws GrpoError `argument` for a count below 1 */
export function aggregationWeights(
  aggregation: Aggregation,
  batch: Pick<TokenBatch, "offsets" | "mask">,
): Float64Array {
  const counts = batchCounts(batch);
  const lengths = rowTokens(batch.offsets, batch.mask);
  const weights = new Float64Array(batch.mask.length);
  forEachRow(batch.offsets, (row, start, end) => {
    const weight = weightOf(aggregation, counts, at(lengths, row));
    for (let token = start; token < end; token++) if (countsIn(batch.mask, token)) weights[token] = weight;
  });
  return weights;
}

function weightOf(aggregation: Aggregation, counts: BatchCounts, length: number): number {
  if (aggregation.kind === "token") return 1 / positive("tokens", aggregation.tokens ?? Math.max(counts.tokens, 1));
  const sequences = positive("sequences", aggregation.sequences ?? Math.max(counts.sequences, 1));
  if (aggregation.kind === "sequence") return 1 / (sequences * Math.max(length, 1));
  return 1 / (sequences * positive("length", aggregation.length));
}

function positive(name: string, value: number): number {
  if (!(value > 0)) throw new GrpoError("argument", `${name} of the aggregation is ${value}; it must be above 0`);
  return value;
}
