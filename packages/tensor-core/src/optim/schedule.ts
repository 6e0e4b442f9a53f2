// Learning-rate schedules: a factor in [0, 1] by step.
import { TensorError } from "../error.ts";

export interface ScheduleOptions {
  /** After the warm-up: `constant` stays at 1, `linear` and `cosine` (half a period) go to 0 at `totalSteps`. */
  readonly kind: "constant" | "linear" | "cosine";
  /** Steps of a linear rise from 0 to 1. Default 0. */
  readonly warmupSteps?: number;
  /** All steps, warm-up included. Not used by `constant`. */
  readonly totalSteps?: number;
}

/**
 * The factor of the learning rate for step 0, 1, ...: the formulas of the `get_*_schedule_with_warmup` family of Hugging Face transformers
 * (there, too, a cosine rises again past `totalSteps`). Throws `argument` for counts that are not whole or do not fit.
 */
export function learningRateSchedule(options: ScheduleOptions): (step: number) => number {
  const { kind, warmupSteps = 0, totalSteps = kind === "constant" ? warmupSteps + 1 : 0 } = options;
  if (!Number.isInteger(warmupSteps) || warmupSteps < 0 || !Number.isInteger(totalSteps) || totalSteps <= warmupSteps) {
    throw new TensorError(
      "argument",
      `a ${kind} schedule needs whole numbers 0 <= warmupSteps < totalSteps, not ${warmupSteps} and ${totalSteps}`,
    );
  }
  return (step) => {
    if (step < warmupSteps) return step / warmupSteps;
    const progress = (step - warmupSteps) / (totalSteps - warmupSteps);
    if (kind === "constant") return 1;
    return kind === "linear" ? Math.max(0, 1 - progress) : 0.5 * (1 + Math.cos(Math.PI * progress));
  };
}
