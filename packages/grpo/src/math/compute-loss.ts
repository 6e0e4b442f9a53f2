// One function that computes any of the named losses.
import { GrpoError } from "../error.ts";
import { type LossOptions, lossDefinition } from "../losses/registry.ts";
import { aggregationOf, type BatchCounts } from "./aggregation.ts";
import type { Numbers, TokenBatch } from "./batch.ts";
import { importanceWeights } from "./importance.ts";
import { klTerms } from "./kl.ts";
import { type PolicyLoss, type PolicyLossParts, policyLoss } from "./policy-loss.ts";
import { tokenTerms } from "./terms.ts";

export interface LossInputs {
  /** The mask already shows what `turns` keeps: see {@link turnMask}. */
  readonly batch: TokenBatch;
  /** [N] */
  readonly advantages: Numbers;
  /** [N] needed for KL in the loss. */
  readonly referenceLogProbs?: Numbers | undefined;
  /** [N] needed for importance weights. */
  readonly rolloutLogProbs?: Numbers | undefined;
  /** See {@link PolicyLossParts}. */
  readonly distillation?: PolicyLossParts["distillation"];
  /** Counts of the whole mini-batch where `batch` is a piece of it: see {@link batchCounts}. */
  readonly counts?: BatchCounts | undefined;
}

/**
 * The loss of a named kind and its gradient.
 * @throws GrpoError `argument` where an input that the options need is missing; `shape`
 */
export function computeLoss(inputs: LossInputs, options: LossOptions): PolicyLoss {
  const { batch, advantages, counts, distillation } = inputs;
  const { kl, importance } = options;
  const { level, term } = lossDefinition(options.kind);
  return policyLoss({
    batch,
    policy: tokenTerms(batch, advantages, level, (token) => term(token, options)),
    aggregation: aggregationOf(options, counts),
    distillation,
    weights:
      importance &&
      importanceWeights(batch, needed(inputs.rolloutLogProbs, "rolloutLogProbs", "importance"), importance),
    kl:
      kl?.where === "loss"
        ? {
            terms: klTerms(kl.estimator, batch.logProbs, needed(inputs.referenceLogProbs, "referenceLogProbs", "kl")),
            coefficient: kl.coefficient,
          }
        : undefined,
  });
}

function needed(values: Numbers | undefined, name: string, option: string): Numbers {
  if (values !== undefined) return values;
  throw new GrpoError(
    "argument",
    `the loss has the option ${option}, which needs ${name}; pass them or leave the option out`,
  );
}
