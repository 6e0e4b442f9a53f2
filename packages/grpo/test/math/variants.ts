// What the published codes call their advantages, weights, masks, estimators and losses, and how each is said here.
import {
  type Aggregation,
  type ClipRange,
  decoupledAdvantages,
  geometricMeanTerms,
  groupAdvantages,
  type ImportanceOptions,
  importanceWeights,
  type KlEstimator,
  klTerms,
  type LossKind,
  type LossOptions,
  leaveOneOutAdvantages,
  logRatios,
  lossDefinition,
  lossPreset,
  type Numbers,
  offPolicyWeights,
  type PolicyLossParts,
  type Rejection,
  ratioWeightedKl,
  rejectionMask,
  type TokenBatch,
  type TokenTerms,
  tokenTerms,
  vespoDefaults,
  vespoTerms,
} from "../../src/math/index.ts";
import type { OracleCase } from "./oracle.ts";

export const advantageVariants: Record<string, (oracle: OracleCase) => Float64Array> = {
  "verl.grpo": ({ rewards, groups }) => groupAdvantages(rewards, groups, { scale: "group", epsilon: 1e-6 }),
  "verl.grpo.no_std": ({ rewards, groups }) => groupAdvantages(rewards, groups, { scale: "none", epsilon: 1e-6 }),
  "verl.rloo": ({ rewards, groups }) => leaveOneOutAdvantages(rewards, groups),
  "v1.grpo": ({ rewards, groups }) => groupAdvantages(rewards, groups, { scale: "group", epsilon: 1e-6 }),
  "trl.group": ({ rewards, groups }) => groupAdvantages(rewards, groups, { scale: "group", epsilon: 1e-4 }),
  "trl.batch": ({ rewards, groups }) => groupAdvantages(rewards, groups, { scale: "batch", epsilon: 1e-4 }),
  "trl.none": ({ rewards, groups }) => groupAdvantages(rewards, groups, { scale: "none", epsilon: 1e-4 }),
  "trl.two_rewards.sum_then_normalize.weights_1_-0.1": (oracle) =>
    groupAdvantages(summed(oracle), oracle.groups, { scale: "group", epsilon: 1e-4 }),
  "trl.two_rewards.normalize_then_sum.weights_1_-0.1": ({ rewards, secondReward, groups }) =>
    decoupledAdvantages(
      [
        { values: rewards, weight: 1 },
        { values: secondReward, weight: -0.1 },
      ],
      groups,
      { epsilon: 1e-4, whiten: true },
    ),
  "trl.row1_unscorable.group": (oracle) => {
    const rewards = summed(oracle);
    rewards[1] = Number.NaN;
    return groupAdvantages(rewards, oracle.groups, { scale: "group", epsilon: 1e-4 });
  },
};

function summed({ rewards, secondReward }: OracleCase): Float64Array {
  return rewards.map((reward, row) => reward - 0.1 * secondReward[row]!);
}

const truncateAt = (level: "token" | "sequence", maximum: number, normalize = false): ImportanceOptions => ({
  level,
  mode: "truncate",
  maximum,
  normalize,
});

export const importanceVariants: Record<string, ImportanceOptions> = {
  "trl.token_truncate.min_None.max_2.0": truncateAt("token", 2),
  "trl.token_mask.min_None.max_2.0": { level: "token", mode: "mask", maximum: 2 },
  "trl.token_mask.min_0.5.max_2.0": { level: "token", mode: "mask", maximum: 2, minimum: 0.5 },
  "trl.sequence_truncate.min_None.max_3.0": truncateAt("sequence", 3),
  "trl.sequence_mask.min_None.max_3.0": { level: "sequence", mode: "mask", maximum: 3 },
  "trl.sequence_mask.min_0.5.max_1.5": { level: "sequence", mode: "mask", maximum: 1.5, minimum: 0.5 },
};
for (const level of ["token", "sequence"] as const) {
  for (const maximum of [2, 1.2]) {
    const name = `verl.${level}.cap_${maximum.toFixed(1)}.batch_norm`;
    importanceVariants[`${name}_False`] = truncateAt(level, maximum);
    importanceVariants[`${name}_True`] = truncateAt(level, maximum, true);
  }
}

export const rejectionVariants: Record<string, Rejection[]> = {
  "verl.token_k1.0.8_1.25": [{ over: "token", measure: "ratio", minimum: 0.8, maximum: 1.25 }],
  "verl.token_k2.0.02": [{ over: "token", measure: "k2", maximum: 0.02 }],
  "verl.token_k3.0.02": [{ over: "token", measure: "k3", maximum: 0.02 }],
  "verl.seq_mean_k1.0.95_1.05": [{ over: "mean", measure: "ratio", minimum: 0.95, maximum: 1.05 }],
  "verl.seq_sum_k1.0.7_1.4": [{ over: "sum", measure: "ratio", minimum: 0.7, maximum: 1.4 }],
  "verl.seq_mean_k3.0.01": [{ over: "mean", measure: "k3", maximum: 0.01 }],
  "verl.seq_sum_k3.0.1": [{ over: "sum", measure: "k3", maximum: 0.1 }],
  "verl.seq_max_k2.0.05": [{ over: "maximum", measure: "k2", maximum: 0.05 }],
  "verl.seq_max_k3.0.05": [{ over: "maximum", measure: "k3", maximum: 0.05 }],
  "verl.token_k1,seq_max_k3.0.8_1.25,0.2": [
    { over: "token", measure: "ratio", minimum: 0.8, maximum: 1.25 },
    { over: "maximum", measure: "k3", maximum: 0.2 },
  ],
};

export const klVariants: Record<string, KlEstimator> = {
  "verl.k1": "k1",
  "verl.abs": "abs",
  "verl.k2": "k2",
  "verl.k3": "k3",
  "verl.k1+": "k1_k2",
  "verl.k3+": "k3_k2",
  "v1.kl": "k1",
  "v1.abs": "abs",
  "v1.mse": "k2",
  "v1.low_var_kl": "k3",
};

type ClippedOptions = ClipRange & { dual?: number | undefined };
type Surrogate = (batch: TokenBatch, advantages: Numbers, oracle: OracleCase) => TokenTerms;
type Variant = {
  advantages?: (oracle: OracleCase) => Float64Array;
  terms: Surrogate;
  /** Of verl, unless given. */
  aggregation: (oracle: OracleCase) => Aggregation;
  weights?: (batch: TokenBatch, oracle: OracleCase, advantages: Numbers) => Numbers;
  mask?: (oracle: OracleCase) => Uint8Array;
  kl?: (batch: TokenBatch, oracle: OracleCase) => PolicyLossParts["kl"];
  metrics?: [ClippedOptions, "token" | "sequence"];
};

const trl = advantageVariants["trl.group"]!;
const perTokenMean = (): Aggregation => ({ kind: "token" });
const perSequence = (): Aggregation => ({ kind: "sequence" });
const allRows = ({ rows }: OracleCase): Aggregation => ({ kind: "sequence", sequences: rows });
const clip = (low: number, high: number, dual?: number): ClippedOptions => ({ low, high, dual });
const named =
  (kind: LossKind, options: Partial<LossOptions> = {}): Surrogate =>
  (batch, advantages) => {
    const { level, term } = lossDefinition(kind);
    const settings = { ...lossPreset(kind), ...options };
    return tokenTerms(batch, advantages, level, (token) => term(token, settings));
  };
const ppo = ({ dual, ...range }: ClippedOptions): Surrogate => named("grpo", { clip: range, dualClip: dual });
const gspo = ({ dual, ...range }: ClippedOptions): Surrogate => named("gspo", { clip: range, dualClip: dual });
const cispo = (low: number, high: number): Surrogate => named("cispo", { clip: { low, high } });
const sapo = named("sapo");
const corrected =
  (options: ImportanceOptions) =>
  (batch: TokenBatch, { rollout }: OracleCase): Float64Array =>
    importanceWeights(batch, rollout, options);
const k3 =
  (coefficient: number) =>
  ({ logProbs }: TokenBatch, { reference }: OracleCase): PolicyLossParts["kl"] => ({
    terms: klTerms("k3", logProbs, reference),
    coefficient,
  });
const verlClip = (options: ClippedOptions, aggregation: Variant["aggregation"] = perTokenMean): Variant => ({
  terms: ppo(options),
  aggregation,
  metrics: [options, "token"],
});
const trlLoss = (terms: Surrogate, aggregation: Variant["aggregation"], more: Partial<Variant> = {}): Variant => ({
  advantages: trl,
  terms,
  aggregation,
  ...more,
});
const drGrpo = (sequences?: number): Variant => ({
  ...verlClip(clip(0.2, 0.2, 3), () => ({ kind: "constant", length: 32, sequences })),
  advantages: advantageVariants["verl.grpo.no_std"]!,
});

const standard = clip(0.2, 0.2, 3);
export const lossVariants: Record<string, Variant> = {
  "verl.vanilla.token-mean.clip_.2_.2.dual_3": verlClip(standard),
  "verl.vanilla.seq-mean-token-mean.clip_.2_.2.dual_3": verlClip(standard, perSequence),
  "verl.vanilla.seq-mean-token-sum.clip_.2_.2.dual_3": verlClip(standard, () => ({ kind: "constant", length: 1 })),
  "verl.vanilla.seq-mean-token-sum-norm.clip_.2_.2.dual_3": verlClip(standard, ({ columns }) => ({
    kind: "constant",
    length: columns,
  })),
  "verl.vanilla.token-mean.clip_.2_.28.dual_3 (DAPO)": verlClip(clip(0.2, 0.28, 3)),
  "verl.vanilla.token-mean.clip_.2_.2.dual_1.5": verlClip(clip(0.2, 0.2, 1.5)),
  "verl.vanilla.token-mean.clip_.2_.2.dual_1e9 (no dual clip)": verlClip(clip(0.2, 0.2)),
  "verl.vanilla.token-mean.batch_num_tokens_100": verlClip(standard, () => ({ kind: "token", tokens: 100 })),
  "verl.vanilla.seq-mean-token-mean.global_batch_size_64": verlClip(standard, () => ({
    kind: "sequence",
    sequences: 64,
  })),
  "verl.vanilla.seq-mean-token-sum-norm.no_std.scale_32 (Dr.GRPO)": drGrpo(),
  "verl-2026-01.vanilla.seq-mean-token-sum-norm.no_std.scale_32 (Dr.GRPO, sum over sequences)": drGrpo(1),
  "verl.gspo.clip_3e-4_4e-4": {
    terms: gspo(clip(3e-4, 4e-4)),
    aggregation: perSequence,
    metrics: [clip(3e-4, 4e-4), "sequence"],
  },
  "verl.gspo.clip_.2_.28": {
    terms: gspo(clip(0.2, 0.28)),
    aggregation: perSequence,
    metrics: [clip(0.2, 0.28), "sequence"],
  },
  "verl.cispo.clip_10_.2": { terms: cispo(10, 0.2), aggregation: perTokenMean },
  "verl.cispo.clip_.2_.28": { terms: cispo(0.2, 0.28), aggregation: perTokenMean },
  "verl.sapo.tau_1_1.05": { terms: sapo, aggregation: perSequence },
  "verl.geo_mean.clip_.2_.2": {
    terms: (batch, advantages) => geometricMeanTerms(batch, advantages, { low: 0.2, high: 0.2 }),
    aggregation: allRows,
  },
  "verl.vanilla.token-mean.token_TIS_cap_2": {
    ...verlClip(clip(0.2, 0.28, 3)),
    weights: corrected(truncateAt("token", 2)),
  },
  "verl.vanilla.token-mean.sequence_TIS_cap_2": {
    ...verlClip(clip(0.2, 0.28, 3)),
    weights: corrected(truncateAt("sequence", 2)),
  },
  "verl.vanilla.token-mean.seq_sum_k1_rejection_.7_1.4": {
    ...verlClip(clip(0.2, 0.28, 3)),
    mask: ({ batch, rollout }) => rejectionMask(batch, rollout, rejectionVariants["verl.seq_sum_k1.0.7_1.4"]!),
  },
  "verl.vanilla.token-mean + 0.01 * k3 token-mean": {
    terms: ppo(clip(0.2, 0.3, 3)),
    aggregation: perTokenMean,
    kl: k3(0.01),
  },
  "v1.policy_loss.clip_.2_.3.dual_3 (masked mean of the micro-batch)": {
    terms: ppo(clip(0.2, 0.3, 3)),
    aggregation: perTokenMean,
  },
  "trl.grpo.clip_.2_.2": trlLoss(ppo(clip(0.2, 0.2)), allRows),
  "trl.grpo.delta_2.5": trlLoss(ppo(clip(0.2, 0.2, 2.5)), allRows),
  "trl.bnpo": trlLoss(ppo(clip(0.2, 0.2)), perTokenMean),
  "trl.dapo.clip_.2_.28": trlLoss(ppo(clip(0.2, 0.28)), perTokenMean),
  "trl.dr_grpo.maxlen_32.scale_none": trlLoss(
    ppo(clip(0.2, 0.2)),
    ({ rows }) => ({ kind: "constant", length: 32, sequences: rows }),
    { advantages: advantageVariants["trl.none"]! },
  ),
  "trl.grpo.sequence_level.clip_3e-4_4e-4 (GSPO)": trlLoss(gspo(clip(3e-4, 4e-4)), allRows),
  "trl.grpo.sequence_level.clip_.2_.28": trlLoss(gspo(clip(0.2, 0.28)), allRows),
  "trl.cispo.eps_high_5": trlLoss(cispo(1, 4), perTokenMean),
  "trl.cispo.eps_high_1.1": trlLoss(cispo(1, 0.1), perTokenMean),
  "trl.sapo": trlLoss(sapo, allRows),
  "trl.luspo.sequence_level": trlLoss(gspo(clip(0.2, 0.2)), ({ rows }) => ({
    kind: "constant",
    length: 1,
    sequences: rows,
  })),
  "trl.grpo.off_policy_mask_.05": trlLoss(ppo(clip(0.2, 0.2)), allRows, {
    weights: (batch, { rollout }, advantages) => offPolicyWeights(batch, advantages, rollout, 0.05),
  }),
  "trl.dapo.token_truncate_cap_2": trlLoss(ppo(clip(0.2, 0.2)), perTokenMean, {
    weights: corrected(truncateAt("token", 2)),
  }),
  "trl.dapo.sequence_mask_cap_3": trlLoss(ppo(clip(0.2, 0.2)), perTokenMean, {
    weights: corrected({ level: "sequence", mode: "mask", maximum: 3 }),
  }),
  "trl.grpo.beta_.04": trlLoss(ppo(clip(0.2, 0.2)), allRows, { kl: k3(0.04) }),
  "trl.grpo.beta_.04.bias_corrected_kl": trlLoss(ppo(clip(0.2, 0.2)), allRows, {
    kl: (batch, { reference }) => ({
      terms: ratioWeightedKl(klTerms("k3", batch.logProbs, reference), logRatios(batch, "token")),
      coefficient: 0.04,
    }),
  }),
  "trl.vespo": trlLoss(
    (batch, advantages, { rollout }) => vespoTerms({ ...batch, oldLogProbs: rollout }, advantages, vespoDefaults),
    perTokenMean,
  ),
};
