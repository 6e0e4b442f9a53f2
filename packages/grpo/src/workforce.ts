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

/** Pieces one after another that were computed elsewhere. */
export interface ComputedPieces {
  /** [parameters][values] by row: of the first piece, to which each other's were added in their order. */
  readonly gradients: readonly Float32Array<ArrayBuffer>[];
  /** By piece. */
  readonly outputs: readonly ComputedOutputs[];
}

export interface ComputedOutputs {
  readonly loss: number;
  /** [N] */
  readonly logProbs: Float32Array<ArrayBuffer>;
  /** [N] */
  readonly entropies: Float32Array<ArrayBuffer>;
}

/** The next pieces of a mini-batch, and who computes them. */
export interface GradientPart {
  /** How many. More than one in the first part only: its sum is where that of the mini-batch begins, and floating-point sums have an order. */
  readonly pieces: number;
  /** Gives undefined where they are to be computed here after all, also once nobody is left to compute them. */
  readonly computed: Promise<ComputedPieces | undefined>;
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
  /** Of a mini-batch, by the policy as it is: parts that together are all its pieces, in their order. Undefined where all is to be computed here. */
  gradients(pieces: readonly Piece[], signal?: AbortSignal): readonly GradientPart[] | undefined;
}
