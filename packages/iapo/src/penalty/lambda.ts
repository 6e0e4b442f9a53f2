// The weight of the penalty over a run (docs/method.md F11, F15).
import type { IapoSettings } from "../config/types.ts";

/** Lambda at a step of the run, from 0 on: 0 during the cold start, then by the schedule, whose t counts from the cold start's end. */
export function lambdaAt(
  { lambda, lambdaSchedule, coldStartSteps }: Pick<IapoSettings, "lambda" | "lambdaSchedule" | "coldStartSteps">,
  step: number,
): number {
  const t = step - coldStartSteps;
  if (t < 0) return 0;
  if (lambdaSchedule.kind === "constant") return lambda;
  const { kind, rate, floor } = lambdaSchedule;
  return Math.max(floor, lambda * decay[kind](rate * t));
}

/** Of x = rate t; 1 at 0. */
const decay = {
  exp: (x: number) => Math.exp(-x),
  linear: (x: number) => Math.max(0, 1 - x),
  inverse: (x: number) => 1 / (1 + x),
  cosine: (x: number) => (1 + Math.cos(Math.PI * Math.min(1, x))) / 2,
} as const;
