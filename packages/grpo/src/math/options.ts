/** The named losses: what each is made of, and one function that computes any of them. */
import { GrpoError } from "../error.ts";
import type { Aggregation } from "./aggregation.ts";
import { checkLength, type Numbers, type TokenBatch, type TokenTerms } from "./batch.ts";
import { type ImportanceOptions, importanceWeights } from "./importance.ts";
import { type KlEstimator, klTerms } from "./kl.ts";
import { type PolicyLoss, policyLoss } from "./policy-loss.ts";
import { cispoTerms, clippedTerms, gspoTerms, sapoTerms } from "./surrogates.ts";

export type LossKind = "grpo" | "dapo" | "dr_grpo" | "gspo" | "cispo" | "sapo";

export type LossOptions = {
  readonly kind: LossKind;
  /** Bounds of the ratio; SAPO has none. */
  readonly clip: { readonly low: number; readonly high: number };
  /** Bound of the term of negative advantages (`grpo`, `dapo`, `dr_grpo`); `undefined` for none. */
  readonly dualClip?: number | undefined;
  /** Temperatures of SAPO's gate. */
  readonly gate: { readonly positive: number; readonly negative: number };
  readonly aggregation: "token" | "sequence" | "constant";
  /** Tokens that `constant` divides by, usually the longest response allowed. */
  readonly constantLength?: number | undefined;
  readonly kl?: KlOptions | undefined;
  readonly importance?: ImportanceOptions | undefined;
  /** Whose tokens are trained: every turn's (IAPO) or the final turn's (VTool-R1). */
  readonly turns: "all" | "final_only";
};

export type KlOptions = {
  /** In the loss, or taken off the reward. */
  readonly where: "loss" | "reward";
  readonly estimator: KlEstimator;
  readonly coefficient: number;
};

const common: Omit<LossOptions, "kind"> = {
  clip: { low: 0.2, high: 0.2 },
  dualClip: 3,
  gate: { positive: 1, negative: 1.05 },
  aggregation: "sequence",
  turns: "all",
};

/** As published (docs/method.md D.2, D.3). */
export const lossPresets: Readonly<Record<LossKind, LossOptions>> = {
  grpo: { ...common, kind: "grpo" },
  dapo: { ...common, kind: "dapo", clip: { low: 0.2, high: 0.28 }, aggregation: "token" },
  dr_grpo: { ...common, kind: "dr_grpo", aggregation: "constant" },
  gspo: { ...common, kind: "gspo", clip: { low: 3e-4, high: 4e-4 }, dualClip: undefined },
  cispo: { ...common, kind: "cispo", clip: { low: 10, high: 0.2 }, dualClip: undefined, aggregation: "token" },
  sapo: { ...common, kind: "sapo", dualClip: undefined },
};

export type LossInputs = {
  /** The mask already shows what `turns` keeps: see {@link turnMask}. */
  readonly batch: TokenBatch;
  /** [N] */
  readonly advantages: Numbers;
  /** [N] needed for KL in the loss. */
  readonly referenceLogProbs?: Numbers | undefined;
  /** [N] needed for importance weights. */
  readonly rolloutLogProbs?: Numbers | undefined;
  /** Counts of the whole mini-batch where `batch` is a piece of it: see {@link batchCounts}. */
  readonly counts?: { readonly tokens: number; readonly sequences: number } | undefined;
};

/**
 * The loss of a named kind and its gradient.
 * @throws GrpoError `argument` where an input that the options need is missing; `shape`
 */
export function computeLoss(inputs: LossInputs, options: LossOptions): PolicyLoss {
  const { batch, advantages, counts } = inputs;
  const { kl, importance } = options;
  checkLength("advantages", advantages, batch.logProbs.length);
  return policyLoss({
    batch,
    policy: terms(batch, advantages, options),
    aggregation: aggregationOf(options, counts),
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

function terms(batch: TokenBatch, advantages: Numbers, { kind, clip, dualClip, gate }: LossOptions): TokenTerms {
  if (kind === "gspo") return gspoTerms(batch, advantages, { ...clip, dual: dualClip });
  if (kind === "cispo") return cispoTerms(batch, advantages, clip);
  if (kind === "sapo") return sapoTerms(batch, advantages, gate);
  return clippedTerms(batch, advantages, { ...clip, dual: dualClip });
}

function aggregationOf(options: LossOptions, counts: LossInputs["counts"]): Aggregation {
  if (options.aggregation !== "constant") return { kind: options.aggregation, ...counts };
  const length = options.constantLength;
  if (length === undefined) {
    throw new GrpoError(
      "argument",
      `loss ${options.kind} divides by a constant; set constantLength, such as the longest response allowed`,
    );
  }
  return { kind: "constant", length, sequences: counts?.sequences };
}

function needed(values: Numbers | undefined, name: string, option: string): Numbers {
  if (values !== undefined) return values;
  throw new GrpoError(
    "argument",
    `the loss has the option ${option}, which needs ${name}; pass them or leave the option out`,
  );
}
