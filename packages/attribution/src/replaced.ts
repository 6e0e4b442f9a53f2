/**
 * Scores of all responses to prompts in which some tokens are replaced by a baseline: forward only. Rows before the first replaced token are
 * those of the whole prompt, computed once; the variants are packed. For K variants: P + K (rows after + nR) rows, never K n full passes.
 */
import { gatherRows, noGrad, overwriteRows, RowIndex, scope, type Tensor } from "@iapo/tensor-core";
import type { DifferentiableModel, Embedded, PromptStates, Variant } from "./model.ts";

/** Rows of one packed pass, unless a single variant has more. */
const defaultRowsPerPass = 16_384;

export interface ReplacedScores {
  /** Score of each response to the whole prompt. */
  readonly whole: Float64Array;
  /** `variants[k][response]`: with the tokens `replaced[k]` gone. */
  readonly variants: readonly Float64Array[];
}

/** `replaced`: prompt tokens, ascending, of each variant. `baseline`: `[promptTokens, width]`. */
export async function replacedScores(
  model: DifferentiableModel<never>,
  embedded: Embedded,
  baseline: Tensor,
  replaced: readonly (readonly number[])[],
  rowsPerPass = defaultRowsPerPass,
): Promise<ReplacedScores> {
  const { embeddings, targets, responseRows } = embedded;
  const responses = Array.from(targets.keys());
  const whole = noGrad(() => scope(() => model.prefill(embedded, [{ firstToken: 0, rows: embeddings }])));
  try {
    const scoreOf = (states: PromptStates): Tensor => model.score(embedded, states, responses);
    const wholeScores = await summed(
      noGrad(() => scope(() => scoreOf(whole))),
      targets,
    );
    const results = replaced.map(() => wholeScores[0]!);
    const changed = Array.from(replaced.keys()).filter((k) => replaced[k]!.length > 0);
    const rowsOf = (k: number): number => embeddings.shape[0]! - replaced[k]![0]! + responseRows;
    for (const pass of chunks(changed, rowsOf, rowsPerPass)) {
      const logProbs = noGrad(() =>
        scope(() => {
          const variants = pass.map((k) => variantOf(embeddings, baseline, replaced[k]!));
          return scoreOf(model.prefill(embedded, variants, whole));
        }),
      );
      for (const [i, scores] of (await summed(logProbs, targets)).entries()) results[pass[i]!] = scores;
    }
    return { whole: wholeScores[0]!, variants: results };
  } finally {
    for (const tensor of whole.tensors) tensor.dispose();
  }
}

function variantOf(embeddings: Tensor, baseline: Tensor, replaced: readonly number[]): Variant {
  const { device } = embeddings;
  const [tokens] = embeddings.shape as [number, number];
  const firstToken = replaced[0]!;
  return scope(() => {
    const after = Int32Array.from({ length: tokens - firstToken }, (_, i) => firstToken + i);
    const kept = gatherRows(embeddings, RowIndex.of(device, after, tokens));
    const gone = gatherRows(baseline, RowIndex.of(device, replaced, tokens));
    const places = replaced.map((token) => token - firstToken);
    return { firstToken, rows: overwriteRows(kept, gone, RowIndex.of(device, places, after.length)) };
  });
}

/** Reads log-probs and sums those of each response, in f64: `[variant][response]`. Disposes the tensor. */
async function summed(logProbs: Tensor, targets: readonly number[]): Promise<Float64Array[]> {
  using tensor = logProbs;
  const values = await tensor.values();
  const sums: Float64Array[] = [];
  for (let at = 0; at < values.length; ) {
    const scores = Float64Array.from(targets, (count) => {
      let score = 0;
      for (const end = at + count; at < end; at++) score += values[at]!;
      return score;
    });
    sums.push(scores);
  }
  return sums;
}

/** Runs of items, in order, whose sizes add up to at most `limit`; an item that is larger alone stands alone. */
function chunks(items: readonly number[], sizeOf: (item: number) => number, limit: number): number[][] {
  const made: number[][] = [];
  let size = 0;
  for (const item of items) {
    size += sizeOf(item);
    if (made.length === 0 || size > limit) {
      made.push([]);
      size = sizeOf(item);
    }
    made.at(-1)!.push(item);
  }
  return made;
}
