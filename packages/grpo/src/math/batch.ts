// The tokens of a mini-batch, response after response. Legend: N tokens, R responses.
import { GrpoError } from "../error.ts";

/** Numbers by index; every array type fits. */
export type Numbers = ArrayLike<number>;

/** The sampled tokens of R responses, laid end to end; log-probs in nats. */
export interface TokenBatch {
  /** [R + 1], ascending from 0 to N: response r holds the tokens `offsets[r]` to `offsets[r + 1] - 1`. */
  readonly offsets: Numbers;
  /** [N] 1 where the token counts, else 0. */
  readonly mask: Numbers;
  /** [N] under the policy in training. */
  readonly logProbs: Numbers;
  /** [N] under the policy before this step's first update. */
  readonly oldLogProbs: Numbers;
}

/** What each token adds to the loss before aggregation. */
export interface TokenTerms {
  /** [N] */
  readonly loss: Float64Array;
  /** [N] d loss / d log-prob of the same token. */
  readonly derivative: Float64Array;
}

/** The value at an index. @throws GrpoError `shape` beyond the end */
export function at<T>(values: ArrayLike<T>, index: number): T {
  const value = values[index];
  if (value === undefined) throw new GrpoError("shape", `there is no value ${index} among ${values.length}`);
  return value;
}

/** @throws GrpoError `shape` where the arrays disagree */
export function checkBatch({ offsets, mask, logProbs, oldLogProbs }: TokenBatch): void {
  const tokens = logProbs.length;
  for (const [name, array] of Object.entries({ mask, oldLogProbs })) checkLength(name, array, tokens);
  let previous = offsets.length === 0 ? -1 : 0;
  for (let row = 0; row < offsets.length; row++) {
    const offset = at(offsets, row);
    if (!Number.isInteger(offset) || offset < previous || (row === 0 && offset !== 0)) previous = Number.NaN;
    else previous = offset;
  }
  if (previous !== tokens) {
    throw new GrpoError(
      "shape",
      `offsets must ascend from 0 to ${tokens}, the number of tokens; pass one more offset than responses`,
    );
  }
}

/** @throws GrpoError `shape` */
export function checkLength(name: string, array: Numbers, length: number): void {
  if (array.length !== length) {
    throw new GrpoError("shape", `${name} holds ${array.length} values where ${length} are needed`);
  }
}

/** Calls `visit(row, start, end)` for each response. */
export function forEachRow(offsets: Numbers, visit: (row: number, start: number, end: number) => void): void {
  for (let row = 0; row + 1 < offsets.length; row++) visit(row, at(offsets, row), at(offsets, row + 1));
}

/** Whether a token counts. */
export function counts(mask: Numbers, token: number): boolean {
  return at(mask, token) > 0;
}

/** [N] the value of each token's response: a response's advantage given to all of its tokens. */
export function spreadOverTokens(perRow: Numbers, offsets: Numbers): Float64Array {
  checkLength("values of the responses", perRow, offsets.length - 1);
  const perToken = new Float64Array(at(offsets, offsets.length - 1));
  forEachRow(offsets, (row, start, end) => perToken.fill(at(perRow, row), start, end));
  return perToken;
}

/** [R] the number of tokens that count in each response. */
export function rowTokens(offsets: Numbers, mask: Numbers): Float64Array {
  return rowSums(offsets, mask, mask);
}

/** [R] sum of `values` over the tokens that count. */
export function rowSums(offsets: Numbers, mask: Numbers, values: Numbers): Float64Array {
  const sums = new Float64Array(offsets.length - 1);
  forEachRow(offsets, (row, start, end) => {
    let sum = 0;
    for (let token = start; token < end; token++) if (counts(mask, token)) sum += at(values, token);
    sums[row] = sum;
  });
  return sums;
}

/** [R] mean of `values` over the tokens that count; 0 where none counts. */
export function rowMeans(offsets: Numbers, mask: Numbers, values: Numbers): Float64Array {
  const lengths = rowTokens(offsets, mask);
  return rowSums(offsets, mask, values).map((sum, row) => sum / Math.max(at(lengths, row), 1));
}

/** Sum of `values` over the tokens that count, divided by their number; 0 where none counts. */
export function maskedMean(mask: Numbers, values: Numbers): number {
  let sum = 0;
  let count = 0;
  for (let token = 0; token < mask.length; token++) {
    if (counts(mask, token)) {
      sum += at(values, token);
      count++;
    }
  }
  return count === 0 ? 0 : sum / count;
}

/**
 * [N] the mask of the turns that are trained: `all` keeps `mask`, as IAPO gives its advantage to every response token;
 * `final_only` keeps the last turn of each response, as VTool-R1 does (docs/method.md 0.2).
 * @param turnOfToken [N] index of the turn a token belongs to
 */
export function turnMask(
  turns: "all" | "final_only",
  batch: Pick<TokenBatch, "offsets" | "mask">,
  turnOfToken: Numbers,
): Uint8Array {
  checkLength("turnOfToken", turnOfToken, batch.mask.length);
  const kept = Uint8Array.from(batch.mask);
  if (turns === "all") return kept;
  forEachRow(batch.offsets, (_row, start, end) => {
    const last = end > start ? at(turnOfToken, end - 1) : 0;
    for (let token = start; token < end; token++) if (turnOfToken[token] !== last) kept[token] = 0;
  });
  return kept;
}
