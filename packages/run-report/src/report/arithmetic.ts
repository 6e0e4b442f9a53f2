// From rewards to the advantage in sentences. Which rule a run has is found by computing it: a rule that gives the logged number is spelled out.
import type { ImageRef, SampleLog, Trace } from "@iapo/rollout-trace";
import { formatNumber } from "../numbers.ts";
import { meanAdvantage } from "../runs/mean-advantage.ts";

export interface Scored {
  readonly trace: Trace<ImageRef>;
  readonly log: SampleLog;
}

/** @param group all of the sample's group, itself among them */
export function arithmeticOf(sample: Scored, group: readonly Scored[]): string[] {
  const { rewards } = sample.trace;
  const { penalty, shapedReward, evidence = {}, advantages } = sample.log;
  const outcome = rewards.outcome;
  const means = advantages.map((one) => meanAdvantage(one) ?? Number.NaN);
  const [advantage] = means;
  if (outcome === undefined || shapedReward === null || advantage === undefined)
    return ["It could not be scored, and takes no part in the update."];
  const [lambda, divergence] = [evidence.lambda?.[0], evidence.divergence?.[0]];
  const isWeighted = lambda !== undefined && divergence !== undefined && isNear(lambda * divergence, penalty);
  const lines = [
    ...(isWeighted && penalty !== 0 ? [`penalty: λ ${f(lambda)} × divergence ${f(divergence)} = ${f(penalty)}`] : []),
    `shaped reward: outcome ${f(outcome)}${penalty === 0 ? "" : ` − penalty ${f(penalty)}`} = ${f(shapedReward)}`,
  ];
  const rule = rules.map((one) => one(sample, group)).find((found) => found && isNear(found.value, advantage));
  const others = means.some((one) => one !== advantage);
  const byToken = advantages.some((one) => typeof one === "object");
  return [
    ...lines,
    ...(byToken ? ["advantages: one for each token; of a turn, their mean"] : []),
    rule ? `advantage: ${rule.text} = ${f(advantage)}` : `advantage: ${f(advantage)}, by the run's own rule`,
    ...(others ? [`by turn: ${means.map(f).join(", ")}`] : []),
  ];
}

type Rule = (sample: Scored, group: readonly Scored[]) => { readonly value: number; readonly text: string } | undefined;

const shapedOf = ({ log }: Scored): number => log.shapedReward ?? Number.NaN;
const outcomeOf = ({ trace, log }: Scored): number =>
  (trace.rewards.outcome ?? Number.NaN) - (log.penalty - weightOf(log) * (log.evidence?.divergence?.[0] ?? 0));
const divergenceOf = ({ log }: Scored): number => log.evidence?.divergence?.[0] ?? 0;
const weightOf = (log: SampleLog): number => log.evidence?.lambda?.[0] ?? 0;

/** GRPO, its variants and RLOO, and IAPO's ways to normalize (docs/method.md D.1, F10). */
const rules: readonly Rule[] = [
  (sample, group) => normalized(shapedOf(sample), group.map(shapedOf), group.map(shapedOf)),
  (sample, group) => {
    const { mean } = statistics(group.map(shapedOf));
    return { value: shapedOf(sample) - mean, text: `${f(shapedOf(sample))} − ${f(mean)} (mean of the group)` };
  },
  (sample, group) => {
    const others = group.filter((one) => one !== sample).map(shapedOf);
    const { mean } = statistics(others);
    return { value: shapedOf(sample) - mean, text: `${f(shapedOf(sample))} − ${f(mean)} (mean of the others)` };
  },
  (sample, group) => normalized(shapedOf(sample), group.map(shapedOf), group.map(outcomeOf)),
  (sample, group) => {
    const lambda = group.reduce((most, { log }) => Math.max(most, weightOf(log)), 0);
    const reward = normalized(outcomeOf(sample), group.map(outcomeOf), group.map(outcomeOf));
    const taken = normalized(divergenceOf(sample), group.map(divergenceOf), group.map(divergenceOf));
    if (lambda === 0 || !reward || !taken) return undefined;
    return { value: reward.value - lambda * taken.value, text: `${reward.text} − λ ${f(lambda)} × ${taken.text}` };
  },
];

/** (value − mean) / deviation, with n − 1; 0 where all are equal. */
function normalized(
  value: number,
  values: readonly number[],
  spreadOf: readonly number[],
): { value: number; text: string } | undefined {
  const { mean } = statistics(values);
  const { deviation } = statistics(spreadOf);
  if (!(deviation > 1e-9)) {
    return value === mean ? { value: 0, text: `(${f(value)} − ${f(mean)}), all of the group being equal` } : undefined;
  }
  return { value: (value - mean) / deviation, text: `(${f(value)} − ${f(mean)}) / ${f(deviation)}` };
}

function statistics(given: readonly number[]): { mean: number; deviation: number } {
  const values = given.filter((value) => !Number.isNaN(value));
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return { mean, deviation: values.length > 1 ? Math.sqrt(squares / (values.length - 1)) : 0 };
}

/** Runs add an epsilon to the deviation, up to 1e-4. */
function isNear(one: number, other: number): boolean {
  return Math.abs(one - other) <= 2e-3 * Math.max(1, Math.abs(other));
}

function f(value: number): string {
  return formatNumber(Math.abs(value) < 1e-12 ? 0 : value).replace("-", "−");
}
