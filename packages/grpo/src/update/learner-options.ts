// From settings to what a learner takes.
import { learningRateSchedule } from "@iapo/tensor-core";
import type { OptimizerSettings } from "../config.ts";
import type { LearnerOptions } from "./learner.ts";

/** @throws TensorError `argument` for a schedule whose counts do not fit */
export function learnerOptions(settings: OptimizerSettings): LearnerOptions {
  const { learningRate, schedule, warmupSteps, totalSteps, maxNorm, ...optimizer } = settings;
  const factor = learningRateSchedule({ kind: schedule, warmupSteps, ...(totalSteps !== undefined && { totalSteps }) });
  return { learningRate: (step) => learningRate * factor(step), maxNorm, optimizer };
}
