// OPSD: on-policy self-distillation (Zhao et al. 2026, arXiv:2601.18734). The teacher is the policy itself, given what the student is not: here
// the chart's names and the answer. Each token of the first turn gets log pi(token | privilege) - log pi(token) beside its advantage.
import { type AdvantageFunction, advantageFunction, firstPrompt, type OwnPenaltyFunction } from "@iapo/grpo";
import type { PromptBlock, Trace } from "@iapo/rollout-trace";

const WEIGHT = 0.5;
/** Nats: one token does not outweigh all others. */
const MOST = 5;

interface Chart {
  readonly columns: readonly { readonly name: string }[];
  readonly rows: readonly { readonly name: string }[];
  readonly answers: readonly string[];
}

/** What the chart holds, in words; a block ends in a newline. */
function privilege(trace: Trace): PromptBlock {
  const { columns, rows, answers } = trace.task.content as Chart;
  const namesOf = (boxes: Chart["rows"]): string => boxes.map(({ name }) => name).join(", ");
  const axis = columns.length > 0 ? `columns: ${namesOf(columns)}` : `rows: ${namesOf(rows)}`;
  return { id: "privilege", kind: "context", text: `${axis}\n${answers[0] ?? ""}\n` };
}

/** Nothing is taken off: what the policy answers is evidence, `policy_log_probs`. */
const penalty: OwnPenaltyFunction = async (groups, _step, { policy }) => {
  await policy.logProbs(groups.flat().map((trace) => ({ trace, prompt: [privilege(trace), ...firstPrompt(trace)] })));
  return groups.map((traces) => traces.map(() => 0));
};
export default penalty;

const ofRewards = advantageFunction({ kind: "grpo", scale: "group", epsilon: 1e-6 });

export const advantage: AdvantageFunction = (samples) =>
  ofRewards(samples).map((turns, i) => {
    const { trace, evidence } = samples[i] ?? {};
    const informed = evidence?.policy_log_probs;
    const [own] = trace?.turns ?? [];
    if (!informed || !own) return turns;
    const [first = 0, ...others] = turns;
    const gain = (logProb: number, token: number): number =>
      Math.max(-MOST, Math.min(MOST, (informed[token] ?? 0) - logProb));
    return [Array.from(own.logProbs, (logProb, token) => first + WEIGHT * gain(logProb, token)), ...others];
  });
