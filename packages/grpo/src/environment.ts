// What this package asks of a task's world: what the policy sees first, what comes of each turn, and what it was worth.
import type { PromptBlock, Task, ToolOutcome } from "@iapo/rollout-trace";

/** What a turn starts from. */
export interface TurnInput {
  /** False: a user message behind the turn before. True: a prompt of its own, as at the start of an episode. */
  readonly freshPrompt: boolean;
  /** The user message. */
  readonly blocks: readonly PromptBlock[];
  /** Where a fresh prompt has one: an assistant message after the user message, closed before the new turn begins. */
  readonly assistant?: readonly PromptBlock[] | undefined;
  /** In place of the rollout's. */
  readonly temperature?: number | undefined;
}

/** Parts of a reward by name; `outcome` is the one that counts unless a run says otherwise. */
export type Rewards = Readonly<Record<string, number>>;

export interface StepResult {
  /** Another turn is to be written. */
  readonly next?: TurnInput | undefined;
  /** The episode is over. Rewards that take long, such as a judge's, may come later: nothing waits for them but the end of the rollout. */
  readonly done?: { readonly rewards: Rewards | PromiseLike<Rewards> } | undefined;
  /** What the tool program of this turn came to, where it was read as one. */
  readonly tool?: ToolOutcome | undefined;
}

/** A turn before the present one. */
export interface EarlierTurn {
  readonly text: string;
  readonly tool?: ToolOutcome | undefined;
}

/** Keeps no state: many episodes run at one time. */
export interface Environment {
  prompt(task: Task): readonly PromptBlock[];
  /** @param earlier the turns before it, oldest first */
  step(task: Task, turn: { readonly text: string }, earlier: readonly EarlierTurn[]): Promise<StepResult>;
}
