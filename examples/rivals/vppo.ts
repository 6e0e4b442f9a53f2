// VPPO: visually-perceptive policy optimization (Huang et al. 2025, arXiv:2510.09285), as its published code computes it. A token's visual
// dependency is an estimate of the KL of the policy with the pictures from the policy without: trajectories are weighed by its mean, and the
// tokens that depend least are not trained.
import { type AdvantageFunction, advantageFunction, type OwnPenaltyFunction } from "@iapo/grpo";
import type { Image, RawImage } from "@iapo/rollout-trace";

/** Share of a trajectory's tokens that is trained; the least weight of a trajectory. */
const [TRAINED, LEAST] = [0.2, 0.8];
const MOST_DEPENDENCY = 10;

const gray = ({ width, height, channels, data }: Image): RawImage => ({
  ...{ width, height, channels },
  data: new Uint8Array(data.length).fill(128),
});

/** Nothing is taken off: log-probs without the pictures are evidence, `policy_log_probs`. */
const penalty: OwnPenaltyFunction = async (groups, _step, { policy }) => {
  await policy.logProbs(groups.flat().map((trace) => ({ trace, picture: gray })));
  return groups.map((traces) => traces.map(() => 0));
};
export default penalty;

/** k3: exp(d) - d - 1 with d = log pi(without) - log pi(with). */
export function dependency(without: number, own: number): number {
  const d = Math.max(-20, Math.min(20, without - own));
  return Math.min(MOST_DEPENDENCY, Math.exp(d) - d - 1);
}

/** From mean dependencies to weights: from `LEAST` on, 1 in the mean. */
export function weightsOf(means: readonly number[]): number[] {
  const [low, high] = [Math.min(...means), Math.max(...means)];
  if (means.length < 2 || high - low < 1e-6) return means.map(() => 1);
  const relative = means.map((value) => (value - low) / (high - low));
  const mean = relative.reduce((sum, value) => sum + value, 0) / relative.length;
  return relative.map((value) => LEAST + (value * (1 - LEAST)) / mean);
}

const ofRewards = advantageFunction({ kind: "grpo", scale: "group", epsilon: 1e-6 });

export const advantage: AdvantageFunction = (samples) => {
  const dependencies = samples.map(({ trace, evidence }) => {
    const without = evidence?.policy_log_probs ?? [];
    const own = trace.turns.flatMap(({ logProbs }) => [...logProbs]);
    return own.map((logProb, token) => dependency(without[token] ?? logProb, logProb));
  });
  const means = dependencies.map((own) => own.reduce((sum, value) => sum + value, 0) / Math.max(own.length, 1));
  const weights = weightsOf(means);
  return ofRewards(samples).map((turns, i) => {
    const own = dependencies[i] ?? [];
    const ranked = [...own.keys()].sort((a, b) => (own[b] ?? 0) - (own[a] ?? 0));
    const trained = new Set(ranked.slice(0, Math.ceil(TRAINED * own.length)));
    let token = 0;
    return turns.map((value, turn) => {
      const { length } = samples[i]?.trace.turns[turn]?.logProbs ?? [];
      return Array.from({ length }, () => (trained.has(token++) ? value * (weights[i] ?? 1) : 0));
    });
  });
};
