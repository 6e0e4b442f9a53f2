// Keys and values that had another name before this version: an error names the one of today.
import type { Renamed } from "@iapo/run-config";

export const renamed: readonly Renamed[] = [
  { key: "iapo.normalise", now: "iapo.normalize" },
  { key: "iapo.normalisation", now: "iapo.normalization" },
  { key: "grpo.loss.importance.normalise", now: "grpo.loss.importance.normalize" },
  { key: "grpo.rollout.onFailure", value: "penalise", now: "penalize" },
  { key: "grpo.rollout.timeout", now: "grpo.rollout.timeoutMs" },
  { key: "grpo.evaluate.n", now: "grpo.evaluate.samples" },
  { key: "grpo.update.rowBudget", now: "grpo.update.microBatchTokens" },
  { key: "supervised.batch", now: "supervised.batchSize" },
  { key: "supervised.rowBudget", now: "supervised.microBatchTokens" },
  { key: "baseline.chargeNoCall", now: "baseline.penalizeNoCall" },
  ...["judge", "verifier"].flatMap((section) => [
    { key: `${section}.maximumTokens`, now: `${section}.maxTokens` },
    { key: `${section}.firstDelayMs`, now: `${section}.retryDelayMs` },
  ]),
];
