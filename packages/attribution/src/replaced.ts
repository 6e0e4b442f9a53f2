// Scores of all responses to prompts in which some tokens are replaced by a baseline: forward only. Rows before the first replaced token are
// those of the whole prompt, computed once; prompts and their variants are packed. For K variants of a prompt: P + K (rows after + nR) rows, never
// K n full passes.
import { gatherRows, noGrad, overwriteRows, RowIndex, scope, type Tensor } from "@iapo/tensor-core";
import { at, matrixShape, sumOf } from "./checked.ts";
import type { DifferentiableModel, Embedded, Variant } from "./model.ts";

/** Rows of one packed pass, unless a single variant has more. */
export const defaultRowsPerPass = 16_384;

/** A prompt, and what is replaced in it. */
export interface Replacing {
  readonly embedded: Embedded;
  /** `[promptTokens, width]` */
  readonly baseline: Tensor;
  /** Prompt tokens, ascending, of each variant. */
  readonly replaced: readonly (readonly number[])[];
}

/** Log-prob of a response's target tokens. */
export interface ResponseScore {
  readonly sum: number;
  /** [targets] */
  readonly tokens: Float64Array;
}

export interface ReplacedScores {
  /** Of each response to the whole prompt. */
  readonly whole: readonly ResponseScore[];
  /** `variants[k][response]`: with the tokens `replaced[k]` gone. */
  readonly variants: readonly (readonly ResponseScore[])[];
}

/** Rows of all passes of a prompt. */
export function rowsOfAll({ embedded, replaced }: Omit<Replacing, "baseline">): number {
  const [tokens] = matrixShape(embedded.embeddings);
  const whole = tokens + embedded.responseRows;
  return replaced.reduce((sum, [first]) => (first === undefined ? sum : sum + whole - first), whole);
}

/** Of one prompt. */
export async function replacedScores(
  model: DifferentiableModel<never>,
  embedded: Embedded,
  baseline: Tensor,
  replaced: readonly (readonly number[])[],
  rowsPerPass = defaultRowsPerPass,
): Promise<ReplacedScores> {
  return at(await replacedScoresOfAll(model, [{ embedded, baseline, replaced }], rowsPerPass), 0);
}

/** Of several prompts, whose whole passes are one. */
export async function replacedScoresOfAll(
  model: DifferentiableModel<never>,
  prompts: readonly Replacing[],
  rowsPerPass = defaultRowsPerPass,
): Promise<ReplacedScores[]> {
  const whole = noGrad(() =>
    scope(() => model.prefill(prompts.map(({ embedded }) => ({ embedded, firstToken: 0, rows: embedded.embeddings })))),
  );
  try {
    const wholeScores = await summed(
      noGrad(() => scope(() => model.score(whole))),
      whole.variants,
    );
    const results = prompts.map(({ replaced }, i) => replaced.map(() => at(wholeScores, i)));
    const changed = prompts.flatMap((prompt, i) =>
      [...prompt.replaced.entries()].flatMap(([k, gone]): Changed[] => {
        const [firstToken] = gone;
        return firstToken === undefined ? [] : [{ prompt, i, k, gone, firstToken }];
      }),
    );
    const rowsOf = ({ prompt: { embedded }, firstToken }: Changed): number =>
      at(matrixShape(embedded.embeddings), 0) - firstToken + embedded.responseRows;
    for (const pass of chunks(changed, rowsOf, rowsPerPass)) {
      const logProbs = noGrad(() => scope(() => model.score(model.prefill(pass.map(variantOf), whole))));
      const prompts = pass.map(({ prompt }) => prompt.embedded);
      for (const [v, scores] of (await summed(logProbs, prompts)).entries()) {
        const { i, k } = at(pass, v);
        at(results, i)[k] = scores;
      }
    }
    return results.map((variants, i) => ({ whole: at(wholeScores, i), variants }));
  } finally {
    for (const tensor of whole.tensors) tensor.dispose();
  }
}

/** Variant `k` of prompt `i`, in which the tokens `gone` are replaced, the first of them `firstToken`. */
interface Changed {
  readonly prompt: Replacing;
  readonly i: number;
  readonly k: number;
  readonly gone: readonly number[];
  readonly firstToken: number;
}

function variantOf({ prompt: { embedded, baseline }, gone: replaced, firstToken }: Changed): Variant {
  const { embeddings } = embedded;
  const { device } = embeddings;
  const [tokens] = matrixShape(embeddings);
  return scope(() => {
    const after = Int32Array.from({ length: tokens - firstToken }, (_, i) => firstToken + i);
    const kept = gatherRows(embeddings, RowIndex.of(device, after, tokens));
    const gone = gatherRows(baseline, RowIndex.of(device, replaced, tokens));
    const places = replaced.map((token) => token - firstToken);
    return { embedded, firstToken, rows: overwriteRows(kept, gone, RowIndex.of(device, places, after.length)) };
  });
}

/** Reads log-probs and sums those of each response, in f64: `[variant][response]`. Disposes the tensor. */
async function summed(logProbs: Tensor, prompts: readonly Embedded[]): Promise<ResponseScore[][]> {
  using tensor = logProbs;
  const values = await tensor.values();
  let start = 0;
  return prompts.map(({ targets }) =>
    targets.map((count) => {
      const tokens = Float64Array.from(values.subarray(start, start + count));
      start += count;
      return { sum: sumOf(tokens), tokens };
    }),
  );
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
