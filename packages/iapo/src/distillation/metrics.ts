// What a step of distillation by sequence says. Read from the step's log, so that a file of it gives the same.
import { at } from "../at.ts";
import { faultAuc, judgedCalls } from "../recipe/fault-auc.ts";
import type { LoggedStep } from "../recipe/metrics.ts";
import { sequenceCost, sequenceEvidence } from "./sequence.ts";
import type { SequenceDistillation } from "./settings.ts";

/**
 * `distillation/lambda`; `distillation/penalty/{mean,max}` of c; `distillation/capped_frac`, calls at the cap; `distillation/no_call_frac`;
 * `distillation/auc`, the share of pairs of a faulty and a right call of one group in which the fault costs more.
 */
export function sequenceMetrics({ traces, log }: LoggedStep, settings: SequenceDistillation): Record<string, number> {
  const found = log.samples.flatMap(({ evidence }, i) => {
    const own = sequenceEvidence(evidence);
    return own ? [{ trace: at(traces, i), own, cost: sequenceCost(own, settings) }] : [];
  });
  const [first] = found;
  if (!first) return {};
  const calls = found.filter(({ own }) => own.call_log_prob !== undefined);
  const auc = faultAuc(judgedCalls(calls.map(({ trace, cost }) => ({ trace, value: cost }))));
  return {
    "distillation/lambda": first.own.lambda[0],
    "distillation/penalty/mean": found.reduce((sum, { cost }) => sum + cost, 0) / found.length,
    "distillation/penalty/max": found.reduce((most, { cost }) => Math.max(most, cost), 0),
    "distillation/no_call_frac": 1 - calls.length / found.length,
    ...(calls.length > 0 && {
      "distillation/capped_frac": calls.filter(({ cost }) => cost >= settings.cap).length / calls.length,
    }),
    ...(auc !== undefined && { "distillation/auc": auc }),
  };
}
