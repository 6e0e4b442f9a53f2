// Scores of all responses to prompts in which some tokens are replaced by a baseline: forward only. Rows before the first replaced token are
// those of the whole prompt, computed once; the variants are packed. For K variants: P + K (rows after + nR) rows, never K n full passes.
import { gatherRows, noGrad, overwriteRows, RowIndex, scope, type Tensor } from "@iapo/tensor-core";
import { at, matrixShape, sumOf } from "./checked.ts";
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
    const ofWhole = at(wholeScores, 0);
    const results = replaced.map(() => ofWhole);
    const [tokens] = matrixShape(embeddings);
    const changed = [...replaced.entries()].flatMap(([k, gone]): Changed[] => {
      const [firstToken] = gone;
      return firstToken === undefined ? [] : [{ k, gone, firstToken }];
    });
    const rowsOf = ({ firstToken }: Changed): number => tokens - firstToken + responseRows;
    for (const pass of chunks(changed, rowsOf, rowsPerPass)) {
      const logProbs = noGrad(() =>
        scope(() => {
          const variants = pass.map((one) => variantOf(embeddings, baseline, one));
          return scoreOf(model.prefill(embedded, variants, whole));
        }),
      );
      for (const [i, scores] of (await summed(logProbs, targets)).entries()) results[at(pass, i).k] = scores;
    }
    return { whole: ofWhole, variants: results };
  } finally {
    for (const tensor of whole.tensors) tensor.dispose();
  }
}

/** Variant `k`, in which the tokens `gone` are replaced, the first of them `firstToken`. */
interface Changed {
  readonly k: number;
  readonly gone: readonly number[];
  readonly firstToken: number;
}

function variantOf(embeddings: Tensor, baseline: Tensor, { gone: replaced, firstToken }: Changed): Variant {
  const { device } = embeddings;
  const [tokens] = matrixShape(embeddings);
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
  for (let start = 0; start < values.length; ) {
    const scores = Float64Array.from(targets, (count) => {
      const own = values.subarray(start, start + count);
      start += count;
      return sumOf(own);
    });
    sums.push(scores);
  }
  return sums;
}

/** Runs of items, in order, whose sizes add up to at most `limit`; an item that is larger alone stands alone. */
function chunks<T>(items: readonly T[], sizeOf: (item: T) => number, limit: number): T[][] {
  const made: T[][] = [];
  let current: T[] | undefined;
  let size = 0;
  for (const item of items) {
    size += sizeOf(item);
    if (!current || size > limit) {
      current = [];
      made.push(current);
      size = sizeOf(item);
    }
    current.push(item);
  }
  return made;
}
