// What a step's penalties say, under the names of docs/method.md C.3. Read from the step's log, so that a file of it gives the same.
import { countGroups } from "@iapo/grpo/math";
import type { ImageRef, SampleLog, Trace } from "@iapo/rollout-trace";
import { at } from "../at.ts";
import type { IapoSettings } from "../config/types.ts";
import { blockMasses } from "../penalty/divergence.ts";
import { lambdaAt } from "../penalty/lambda.ts";
import { kindOfUnit } from "../scoring/units.ts";
import { blockNames, penaltyEvidence } from "./evidence.ts";

export interface LoggedStep {
  readonly traces: readonly Trace<ImageRef>[];
  readonly log: { readonly samples: readonly SampleLog[] };
}

/**
 * `iapo/lambda`; `iapo/penalty/{mean,max}` of D; `iapo/kl_clipped_frac`, calls whose D is at `maxPenalty`; `iapo/no_call_frac`;
 * `iapo/homogeneous_group_frac`, groups whose outcome rewards are equal; `iapo/block_mass/{kind}/{student,teacher}`, the mean share of a kind
 * of block in what a call rests on. Where nothing was penalized, lambda and the homogeneous groups alone.
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
    return own ? [{ trace: at(traces, i), ...own }] : [];
  });
  if (found.length === 0) return metrics;
  const divergences = found.map(({ divergence }) => divergence[0]);
  const calls = found.filter(({ student_scores }) => student_scores !== undefined);
  const clipped = calls.filter(({ divergence }) => divergence[0] >= settings.maxPenalty);
  return {
    ...metrics,
    "iapo/penalty/mean": mean(divergences),
    "iapo/penalty/max": divergences.reduce((most, value) => Math.max(most, value)),
    "iapo/no_call_frac": 1 - calls.length / found.length,
    ...(calls.length > 0 && { "iapo/kl_clipped_frac": clipped.length / calls.length }),
    ...massesByKind(calls, settings),
  };
}

function massesByKind(
  calls: readonly {
    readonly trace: Trace<ImageRef>;
    readonly student_scores?: readonly number[];
    readonly teacher_scores?: readonly number[];
  }[],
  settings: IapoSettings,
): Record<string, number> {
  const sums = new Map<string, number>();
  for (const { trace, student_scores = [], teacher_scores = [] } of calls) {
    const kinds = blockNames(trace, settings).map(kindOfUnit);
    for (const [who, scores] of Object.entries({ student: student_scores, teacher: teacher_scores })) {
      blockMasses(scores, settings).forEach((mass, block) => {
        const name = `iapo/block_mass/${kinds[block]}/${who}`;
        sums.set(name, (sums.get(name) ?? 0) + mass);
      });
    }
  }
  return Object.fromEntries(Array.from(sums, ([name, sum]) => [name, sum / calls.length]));
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
