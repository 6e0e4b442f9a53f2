// What the head is told beside hidden states and weights.
import type { TargetPairs } from "./pairs.ts";

export interface LogProbOptions {
  /** Divides the logits; default 1. Of a turn that was sampled greedily (0), log-probs are taken at 1. */
  readonly temperature?: number;
  /** Ids left out of the vocabulary. */
  readonly bannedIds?: readonly number[];
}

export interface HeadParams extends LogProbOptions {
  readonly pairs: TargetPairs;
}

/** `forward`: KL(other ‖ own), which covers the other; `reverse`: KL(own ‖ other), which seeks its modes. */
export type DivergenceDirection = "forward" | "reverse";

export interface DivergenceOptions extends LogProbOptions {
  readonly direction: DivergenceDirection;
}
