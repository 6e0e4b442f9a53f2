// What a trainer asks of a task's world: what the policy sees first, what comes of each turn, and what it was worth.
import type { z } from "zod";
import type { PromptBlock } from "./prompt.ts";
import type { Task } from "./task.ts";
import type { ToolOutcome } from "./tool-outcome.ts";
import type { EarlierTurn, TurnInput } from "./turn.ts";

/** Parts of a reward by name; `outcome` is the one that counts unless a run says otherwise. */
export type Rewards = Readonly<Record<string, number>>;

export interface StepResult {
  /** Another turn is to be written. */
  readonly next?: TurnInput | undefined;
  /** The episode is over. Rewards that take long, such as a judge's, may come later: nothing waits for them but the end of the rollout. */
  readonly done?: { readonly rewards: Rewards | PromiseLike<Rewards> } | undefined;
  /** What this turn was worth by itself: added to the episode's outcome, and kept as its part `turn_0`, `turn_1`, ... */
  readonly reward?: number | undefined;
  /** What the tool program of this turn came to, where it was read as one. */
  readonly tool?: ToolOutcome | undefined;
}

/** Keeps no state: many episodes run at one time, and a step can be replayed from a trace. */
export type Environment<Content = unknown> = {
  /** A task's content in memory, images with their pixels: by it, contents out of files are checked before a replay. */
  readonly contentSchema: z.ZodType<Content>;
  /** The most turns that an episode can take, where that is known: a run that allows fewer is refused before it begins. */
  readonly maxTurns?: number | undefined;
  prompt(task: Task<Content>): readonly PromptBlock[];
  /**
   * Takes the turn just written.
   * @param earlier the turns before it, oldest first; empty for the first turn
   */
  step(task: Task<Content>, turn: { readonly text: string }, earlier: readonly EarlierTurn[]): Promise<StepResult>;
};
