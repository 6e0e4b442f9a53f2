// Terms of a loss, token by token.
import { at, checkLength, type Numbers, type TokenBatch, type TokenTerms } from "./batch.ts";
import { logRatios } from "./ratios.ts";

/** What a loss sees of one token. */
export interface TokenInputs {
  /** `log rho` of the token, or of its response. */
  readonly logRatio: number;
  readonly logProb: number;
  readonly advantage: number;
}

/** A term, and its derivative with respect to the token's log-prob. */
export type Term = readonly [loss: number, derivative: number];

/**
 * The terms of a loss that is a function of each token.
 * @param level whose ratio it takes: the token's, or the mean over its response
 * @throws GrpoError `shape`
 */
export function tokenTerms(
  batch: TokenBatch,
  advantages: Numbers,
  level: "token" | "sequence",
  term: (token: TokenInputs) => Term,
): TokenTerms {
  checkLength("advantages", advantages, batch.mask.length);
  const ratios = logRatios(batch, level);
  const loss = new Float64Array(ratios.length);
  const derivative = new Float64Array(ratios.length);
  ratios.forEach((logRatio, token) => {
    const inputs = { logRatio, logProb: at(batch.logProbs, token), advantage: at(advantages, token) };
    [loss[token], derivative[token]] = term(inputs);
  });
  return { loss, derivative };
}
