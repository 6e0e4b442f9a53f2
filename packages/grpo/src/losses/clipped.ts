// PPO's clipped surrogate (Schulman et al. 2017), which GRPO, DAPO, Dr. GRPO and GSPO share (docs/method.md D.1).
import { maximumLogRatio } from "../math/ratios.ts";
import type { Term, TokenInputs } from "../math/terms.ts";
import type { LossDefinition, LossSettings } from "./define.ts";
import { LARGEST, ratioOf } from "./tensor-ops.ts";

/** `max(-A rho, -A clip(rho))`, and for A < 0 no more than `-A dual`. Where both are equal the gradient is that of the first. */
export const clipped: Pick<LossDefinition<string>, "formula" | "term" | "tensors"> = {
  formula: "`max(-A rho, -A clip(rho))`, for A < 0 at most `-A dualClip`",

  term({ logRatio, advantage }: TokenInputs, { clip: { low, high }, dualClip }: LossSettings): Term {
    const ratio = Math.exp(Math.min(logRatio, maximumLogRatio));
    const free = -advantage * ratio;
    const bounded = -advantage * Math.min(Math.max(ratio, 1 - low), 1 + high);
    const loss = Math.max(free, bounded);
    const most = dualClip !== undefined && advantage < 0 ? -advantage * dualClip : Number.POSITIVE_INFINITY;
    if (loss > most) return [most, 0];
    return [loss, free >= bounded && logRatio <= maximumLogRatio ? free : 0];
  },

  tensors({ logRatio, advantages }, { clip, dualClip }, ops) {
    const losses = ops.negate(advantages);
    const ratio = ratioOf(logRatio, ops);
    const free = ops.multiply(losses, ratio);
    const larger = ops.maximum(free, ops.multiply(losses, ops.clamp(ratio, 1 - clip.low, 1 + clip.high)));
    if (dualClip === undefined) return larger;
    const negative = ops.greater(losses, 0);
    return ops.minimum(larger, ops.where(negative, ops.multiply(losses, dualClip), LARGEST));
  },
};
