// What a recipe asks of others who do its work: units that are independent of one another. Each gives, to the bit, what the recipe's own code gives.
import type { Task } from "@iapo/rollout-trace";
import type { Rollout } from "./rollout/rollout.ts";
import type { Piece } from "./update/gradients.ts";
import type { LossConstants } from "./update/loss-constants.ts";

/** Groups to be rolled out by the policy as it is. */
export interface RolloutRequest<Content = unknown> {
  readonly step: number;
  readonly tasks: readonly Task<Content>[];
  /** The place of the first task in the order of tasks, */
  readonly cursor: number;
  /** and the number of its group in the step. */
  readonly firstGroup: number;
}

/** What the loss of a piece takes beside the log-probs. */
export type PieceShare =
  | { readonly kind: "policy"; readonly constants: LossConstants }
  /** Examples by their places in the order, all in one group; each token weighs -1 / `tokens`. */
  | { readonly kind: "examples"; readonly cursor: number; readonly count: number; readonly tokens: number };

/** A piece that was computed elsewhere. */
export interface ComputedPiece {
  /** [parameters][values] by row. */
  readonly gradients: readonly Float32Array<ArrayBuffer>[];
  readonly loss: number;
  /** [N] */
  readonly logProbs: Float32Array<ArrayBuffer>;
  /** [N] */
  readonly entropies: Float32Array<ArrayBuffer>;
}

export interface Workforce {
  /** Undefined where nobody takes them: then they are made here. @throws as `rollout` */
  rollout<Content>(request: RolloutRequest<Content>, signal?: AbortSignal): Promise<Rollout<Content> | undefined>;
  /** May begin with a step to come, by the policy as it is; asked for again before each step until it is there. */
  rolloutAhead?<Content>(
    step: number,
    request: () => Promise<Omit<RolloutRequest<Content>, "step">>,
    signal?: AbortSignal,
  ): void;
  /** By piece of a mini-batch, by the policy as it is; undefined where it is to be computed here, also once nobody is left to compute it. */
  gradients(
    pieces: readonly Piece[],
    signal?: AbortSignal,
  ): readonly (Promise<ComputedPiece | undefined> | undefined)[];
}
