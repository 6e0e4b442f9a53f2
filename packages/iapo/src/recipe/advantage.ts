// From rewards and penalties to advantages (docs/method.md 0.3, F10).
import { advantageFunction, type TurnAdvantageFunction } from "@iapo/grpo";
import type { AdvantageOptions } from "@iapo/grpo/config";
import { decoupledAdvantages, groupAdvantages } from "@iapo/grpo/math";
import { at } from "../at.ts";
import type { IapoSettings } from "../config/types.ts";
import { penaltyEvidence, recomputeDivergence } from "./evidence.ts";

/**
 * With r the outcome reward, D the penalty, and norm as in GRPO:
 * - `joint`: norm(r - lambda D), the paper's. In a group of equal r lambda cancels.
 * - `decoupled`: norm(r) - lambda norm(D), D as `tolerance` has it: lambda counts in every group.
 * - `outcome_std`: (r - lambda D - its mean) / std(r), not divided where r is equal.
 * - `none`: r - lambda D - its mean, as Dr. GRPO.
 *
 * Other penalties, such as for length, count as part of r. `options` are those of GRPO; `joint` alone reads more than `epsilon` of them.
 */
export function iapoAdvantage(settings: IapoSettings, options: AdvantageOptions): TurnAdvantageFunction {
  const { normalization } = settings;
  if (normalization === "joint") return advantageFunction(options);
  const { epsilon } = options;
  return (samples) => {
    const groups = samples.map(({ trace }) => trace.group);
    const totals = samples.map(({ shapedReward }) => shapedReward);
    const parts = samples.map(({ trace, rewards, penalty, evidence }) => {
      const found = penaltyEvidence(evidence);
      const weight = found?.lambda[0] ?? 0;
      const divergence = found ? recomputeDivergence(trace, found, settings) : 0;
      const others = penalty - weight * divergence;
      return { weight, divergence, outcome: (rewards.outcome ?? Number.NaN) - others };
    });
    const weights = parts.map(({ weight }) => weight);
    const divergences = parts.map(({ divergence }) => divergence);
    const outcomes = parts.map(({ outcome }) => outcome);
    const perSample = advantages(settings, { groups, totals, outcomes, divergences, weights, epsilon });
    return samples.map(({ trace }, i) => trace.turns.map(() => at(perSample, i)));
  };
}

interface Parts {
  readonly groups: readonly number[];
  readonly totals: readonly number[];
  readonly outcomes: readonly number[];
  readonly divergences: readonly number[];
  /** Lambda; 0 for a sample without evidence. */
  readonly weights: readonly number[];
  readonly epsilon: number;
}

function advantages({ normalization: kind, tolerance }: IapoSettings, parts: Parts): Float64Array {
  const { groups, totals, outcomes, divergences, weights, epsilon } = parts;
  if (kind === "none") return groupAdvantages(totals, groups, { scale: "none", epsilon });
  if (kind === "outcome_std") return groupAdvantages(totals, groups, { scale: "group", epsilon, spreadOf: outcomes });
  const lambda = weights.reduce((most, weight) => Math.max(most, weight), 0);
  const penalties = divergences.map((value, i) => (Number.isNaN(outcomes[i]) ? Number.NaN : value));
  return decoupledAdvantages(
    [
      { values: outcomes, weight: 1 },
      { values: penalties, weight: -lambda, tolerance },
    ],
    groups,
    { epsilon, whiten: false },
  );
}
