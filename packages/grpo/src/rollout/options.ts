// How episodes are rolled out.
import type { Sampling } from "@iapo/rollout-trace";
import type { Seed } from "@iapo/tensor-core";

/**
 * What becomes of an episode whose environment fails or takes too long, or whose input the policy cannot encode. `drop`: its trace holds no
 * rewards and it is left out of group means and the loss. `penalize`: it gets `failureReward` as outcome. `stop`: the rollout throws. Where
 * nothing was written yet there is no trace, under `penalize` neither.
 */
export type FailurePolicy = "drop" | "penalize" | "stop";

export interface RolloutOptions {
  /** Responses per task. */
  readonly samples: number;
  readonly sampling: Sampling;
  /** Tokens of a turn at most. */
  readonly maxTokens: number;
  /** Turns of an episode at most; an environment that asks for more has failed. Default 2. */
  readonly maxTurns?: number | undefined;
  /** Default `stop`. */
  readonly onFailure?: FailurePolicy | undefined;
  /** Default 0. */
  readonly failureReward?: number | undefined;
  /** Milliseconds that one step of the environment, and a reward that comes later, may take; default no limit. */
  readonly timeoutMs?: number | undefined;
  /** Groups that are generated together; the next ones follow while rewards of these may still be pending. Default all. */
  readonly groupsAtOnce?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onWarning?: ((message: string) => void) | undefined;
  /** Hears, of the whole rollout, what `RolloutTimes` says. */
  readonly onTimes?: ((times: RolloutTimes) => void) | undefined;
}

/** Milliseconds. */
export interface RolloutTimes {
  /** That the environment kept the thread. */
  readonly tools: number;
  /** In which nothing was left to do but to wait for the environment, a judge or another endpoint. */
  readonly waiting: number;
}

/** Where in a run the rollout stands. */
export interface RolloutPlace {
  readonly step: number;
  /** Number of the first group; default 0. */
  readonly firstGroup?: number | undefined;
  /** The seed of a turn: the same place in the run gives the same response. */
  seed(group: number, sample: number, turn: number): Seed;
}

export interface Failure {
  readonly group: number;
  readonly sample: number;
  /** Id of the task. */
  readonly task: string;
  readonly message: string;
  /** What the environment threw, or the policy about its input. */
  readonly cause: unknown;
}
