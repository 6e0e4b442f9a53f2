// What a step's penalties say, under the names of docs/method.md C.3. Read from the step's log, so that a file of it gives the same.
import { countGroups } from "@iapo/grpo/math";
import type { ImageRef, SampleLog, Trace } from "@iapo/rollout-trace";
import { at } from "../at.ts";
import type { IapoSettings } from "../config/types.ts";
import { blockMasses } from "../penalty/divergence.ts";
import { lambdaAt } from "../penalty/lambda.ts";
import { kindOfUnit } from "../scoring/units.ts";
import { blockNames, type ComparedScores, comparedScores, penaltyEvidence } from "./evidence.ts";
import { faultAuc, judgedCalls } from "./fault-auc.ts";

export interface LoggedStep {
  readonly traces: readonly Trace<ImageRef>[];
  readonly log: { readonly samples: readonly SampleLog[] };
}

/**
 * `iapo/lambda`; `iapo/penalty/{mean,max}` of D; `iapo/kl_clipped_frac`, calls whose D is at `maxPenalty`; `iapo/no_call_frac`;
 * `iapo/homogeneous_group_frac`, groups whose outcome rewards are equal; `iapo/block_mass/{kind}/{student,teacher}`, the mean share of a kind
 * of block in what a call rests on (`{call,reference}` where both are the teacher's); `iapo/auc`, where the environment knows a call of the wrong
 * axis: how often its D is above that of a right one of its group. Where nothing was penalized, lambda and the homogeneous groups alone.
 */
export function iapoMetrics({ traces, log }: LoggedStep, step: number, settings: IapoSettings): Record<string, number> {
  const outcomes = traces.map(({ rewards }) => rewards.outcome ?? Number.NaN);
  const { groups, homogeneous } = countGroups(
    outcomes,
    traces.map(({ group }) => group),
  );
  const metrics: Record<string, number> = { "iapo/lambda": lambdaAt(settings, step) };
  if (groups > 0) metrics["iapo/homogeneous_group_frac"] = homogeneous / groups;
  const found = log.samples.flatMap(({ evidence }, i) => {
    const own = penaltyEvidence(evidence);
    return own ? [{ trace: at(traces, i), own, scores: comparedScores(own) }] : [];
  });
  if (found.length === 0) return metrics;
  const divergences = found.map(({ own }) => own.divergence[0]);
  const calls = found.flatMap(({ trace, own, scores }) =>
    scores ? [{ trace, scores, value: own.divergence[0] }] : [],
  );
  const clipped = calls.filter(({ value }) => value >= settings.maxPenalty);
  return {
    ...metrics,
    "iapo/penalty/mean": mean(divergences),
    "iapo/penalty/max": divergences.reduce((most, value) => Math.max(most, value)),
    "iapo/no_call_frac": 1 - calls.length / found.length,
    ...(calls.length > 0 && { "iapo/kl_clipped_frac": clipped.length / calls.length }),
    ...massesByKind(calls, settings),
    ...aucMetric(calls),
  };
}

interface ExplainedCall {
  readonly trace: Trace<ImageRef>;
  readonly scores: ComparedScores;
  /** D. */
  readonly value: number;
}

function massesByKind(calls: readonly ExplainedCall[], settings: IapoSettings): Record<string, number> {
  const sums = new Map<string, number>();
  for (const { trace, scores } of calls) {
    const kinds = blockNames(trace, settings).map(kindOfUnit);
    for (const [i, own] of [scores.call, scores.reference].entries()) {
      blockMasses(own, settings).forEach((mass, block) => {
        const name = `iapo/block_mass/${kinds[block % kinds.length]}/${scores.names[i]}`;
        sums.set(name, (sums.get(name) ?? 0) + mass);
      });
    }
  }
  return Object.fromEntries(Array.from(sums, ([name, sum]) => [name, sum / calls.length]));
}

function aucMetric(calls: readonly ExplainedCall[]): Record<string, number> {
  const auc = faultAuc(judgedCalls(calls));
  return auc === undefined ? {} : { "iapo/auc": auc };
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
