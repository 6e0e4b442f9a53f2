// What training asks of a model beyond sampling: log-probs of traces on the tape, and parameters. A model fits these structurally.
import type { Policy, Trajectory } from "@iapo/rollout-trace";
import type { Device, LogProbs, Tensor } from "@iapo/tensor-core";

/** Rows that predict sampled tokens under one temperature and one set of banned ids, and the head that they go through. */
export interface PredictingRows {
  /** f32 [n, width], on the tape if there is one. */
  readonly hidden: Tensor;
  /** f32 or bf16 [vocabulary, width] */
  readonly head: Tensor;
  readonly temperature: number;
  readonly bannedIds: readonly number[];
  /** [m] the row of each token, */
  readonly rows: Int32Array;
  /** and its place among all sampled tokens. */
  readonly tokens: Int32Array;
}

/** Traces laid out for one forward pass. Dispose it after the backward pass. */
export interface ScorableTraces {
  /**
   * Log-prob and entropy of every sampled token, trace by trace, turn by turn, under the turn's temperature and banned ids; on the tape if
   * there is one.
   * @param options `keepRows`: with the rows that predict the tokens, for what is computed from whole distributions; a policy may have none
   */
  logProbs(options?: { readonly keepRows?: boolean }): LogProbs & {
    readonly rows?: readonly PredictingRows[] | undefined;
  };
  dispose(): void;
}

/** Gives log-probs of traces: the policy in training, a reference, a teacher. */
export interface Scorer {
  /** Groups of traces that share their first prompt. */
  pack(groups: readonly (readonly Trajectory[])[]): ScorableTraces;
}

/** What an optimizer updates. */
export interface Parameter {
  readonly name: string;
  /** What forward passes read: differentiated by, and rewritten after each step where it is not the master itself. */
  readonly run: Tensor;
  /** f32 */
  readonly master: Tensor;
}

export interface TrainablePolicy extends Policy, Scorer {
  /** Where its parameters are. */
  readonly device: Device;
  version: number;
  readonly parameters: readonly Parameter[];
  /** Rewrites what forward passes read from masters that were set from outside. */
  refresh(): void;
  /** The policy as it is now, frozen. */
  reference(): Scorer & { dispose(): void };
}
