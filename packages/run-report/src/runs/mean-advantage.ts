// Advantages as one number for a turn.
import type { TurnAdvantage } from "@iapo/rollout-trace";

/** A turn's advantage; the mean of those of its tokens where each has one. */
export function meanAdvantage(advantage: TurnAdvantage | undefined): number | undefined {
  if (typeof advantage !== "object") return advantage;
  return advantage.reduce((sum, value) => sum + value, 0) / Math.max(advantage.length, 1);
}
