// What distillation by token says: how far the policy is from the teacher on what it wrote itself.
import type { ReplayedSample, Trace } from "@iapo/rollout-trace";
import { at } from "../math/batch.ts";
import type { Metrics } from "../metrics/rollout-metrics.ts";
import { TEACHER_EVIDENCE } from "./token.ts";

/**
 * `distillation/teacher_log_prob`: mean over the sampled tokens; `distillation/k1`: mean of log pi - log pi_teacher, an estimate of the
 * reverse KL. None where no sample has the teacher's log-probs.
 */
export function tokenDistillationMetrics(
  samples: readonly (Pick<ReplayedSample, "evidence"> & { readonly trace: Pick<Trace, "turns"> })[],
): Metrics {
  let [tokens, ofTeacher, difference] = [0, 0, 0];
  for (const { trace, evidence } of samples) {
    const teacher = evidence?.[TEACHER_EVIDENCE] ?? [];
    const own = trace.turns.flatMap(({ logProbs }) => [...logProbs]);
    tokens += teacher.length;
    for (const [i, logProb] of teacher.entries()) {
      ofTeacher += logProb;
      difference += at(own, i) - logProb;
    }
  }
  if (tokens === 0) return {};
  return { "distillation/teacher_log_prob": ofTeacher / tokens, "distillation/k1": difference / tokens };
}
