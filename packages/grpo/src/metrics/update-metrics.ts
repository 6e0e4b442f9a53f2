// What the mini-batches of a step say, under the field's names (docs/method.md C.3): means over mini-batches, computed in f64.
import { at, maskedMean } from "../math/batch.ts";
import { type LossOptions, lossDefinition, ratioMetrics } from "../math/index.ts";
import type { MiniBatch } from "../update/update.ts";
import type { Metrics } from "./rollout-metrics.ts";

export function updateMetrics(batches: readonly MiniBatch[], loss: LossOptions): Metrics {
  const all = batches.map((batch) => metricsOf(batch, loss));
  const metrics: Metrics = { "actor/skipped_steps": batches.filter(({ outcome }) => outcome.skipped).length };
  for (const name of Object.keys(all[0] ?? {}))
    metrics[name] = all.reduce((sum, one) => sum + (one[name] ?? Number.NaN), 0) / all.length;
  return metrics;
}

function metricsOf({ rolloutLogProbs, constants, outcome, computed }: MiniBatch, loss: LossOptions): Metrics {
  const { approximateKl, clipFraction, dualClipFraction } = ratioMetrics(
    { ...constants, logProbs: outcome.logProbs },
    constants.advantages,
    { ...loss.clip, dual: loss.dualClip },
    lossDefinition(loss.kind).level,
  );
  const { mask, oldLogProbs } = constants;
  const gap = Float64Array.from(rolloutLogProbs, (value, token) => Math.abs(value - at(oldLogProbs, token)));
  return {
    "actor/pg_loss": computed?.policyLoss ?? outcome.loss,
    ...(loss.kl && { "actor/kl_loss": computed?.klLoss ?? Number.NaN, "actor/kl_coef": loss.kl.coefficient }),
    ...(outcome.divergences && { "distillation/kl": maskedMean(mask, outcome.divergences) }),
    "actor/ppo_kl": approximateKl,
    "actor/pg_clipfrac": clipFraction,
    "actor/pg_clipfrac_lower": dualClipFraction,
    "actor/entropy": maskedMean(mask, outcome.entropies),
    "actor/grad_norm": outcome.gradientNorm,
    "actor/lr": outcome.learningRate,
    "rollout/log_prob_gap": maskedMean(mask, gap),
  };
}
