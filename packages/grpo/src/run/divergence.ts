// When a run's numbers are lost: steps that are not finite, one after another, or weights from which nothing finite comes.

import { areFinite, type KeptTensors } from "../checkpoint/kept.ts";
import { GrpoError } from "../error.ts";
import { Learner } from "../update/learner.ts";

/** Optimizer steps in a row that may be skipped, where a run does not say. */
export const MOST_SKIPPED_STEPS = 3;

/** Ends a run that only skips. @throws GrpoError `diverged` */
export function stopIfOnlySkipping({ skippedInARow }: Learner, most: number, step: number, saved: number): void {
  if (skippedInARow < most) return;
  const what = `${skippedInARow} optimizer steps in a row were not finite and were skipped, up to step ${step}`;
  throw new GrpoError("diverged", `${what}; ${advice(saved)}`);
}

/**
 * Before a checkpoint: weights that are kept can be gone on from. Of values on the host no pass is made. @throws GrpoError `diverged`
 */
export async function stopUnlessFinite(of: Learner | KeptTensors, step: number, saved: number): Promise<void> {
  if (of instanceof Learner ? await of.isFinite() : areFinite(of)) return;
  throw new GrpoError("diverged", `after step ${step} the weights give numbers that are not finite; ${advice(saved)}`);
}

function advice(saved: number): string {
  const kept = saved > 0 ? `the checkpoint after step ${saved} is the last one that is` : "there is no checkpoint yet";
  return `${kept}. Lower the learning rate or the norm that gradients are clipped to, and begin a new run`;
}
