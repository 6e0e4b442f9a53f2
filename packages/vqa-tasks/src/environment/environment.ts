/**
 * A question about a chart or table as an episode of at most two turns: look, call a tool, see the edited picture, answer.
 * It keeps no state, so any number of samples may run at one time and a step can be replayed from a trace.
 */

import { identifyImage, type PromptBlock, type Task, type ToolOutcome } from "@iapo/rollout-trace";
import {
  failureBlocks,
  focusTools,
  observationBlocks,
  type Tool,
  type ToolTemplate,
  trimToProgramEnd,
} from "@iapo/visual-tools";
import { VqaTasksError } from "../error.ts";
import type { Judge } from "../scoring/judge.ts";
import { createScorer, type Scorer } from "../scoring/score.ts";
import { type EnvironmentOptions, type EnvironmentPreset, environmentPresets } from "./options.ts";
import { openingBlocks, templateOf } from "./prompts.ts";
import { rewardParts } from "./rewards.ts";
import { interpreters } from "./tools.ts";

/** What the policy wrote in a turn; any richer turn fits. */
export type WrittenTurn = { readonly text: string };

/** A turn before the present one, with what its program came to. */
export type EarlierTurn = WrittenTurn & { readonly tool?: ToolOutcome | undefined };

/** What the next turn starts from. */
export type TurnInput = {
  /** False: `blocks` are a user message after the turn before. True: a prompt of its own, as at the start of an episode. */
  readonly freshPrompt: boolean;
  /** The user message. */
  readonly blocks: readonly PromptBlock[];
  /** Where a fresh prompt has one: an assistant message after the user message, closed before the new turn begins. */
  readonly assistant?: readonly PromptBlock[] | undefined;
  readonly temperature?: number | undefined;
};

export type StepResult = {
  /** Another turn is to be written. */
  readonly next?: TurnInput | undefined;
  /**
   * The episode is over. `rewards.outcome` is the reward; the other parts are for baselines and metrics. They come when the judge has answered, if
   * there is one: no other episode need wait. Rejects with VqaTasksError `judge_failed`.
   */
  readonly done?: { readonly rewards: Promise<Record<string, number>> } | undefined;
  /** What the program of this turn came to, where it was read as one. */
  readonly tool?: ToolOutcome | undefined;
};

export type Environment = {
  readonly options: EnvironmentOptions;
  readonly tools: readonly Tool[];
  prompt(task: Task): PromptBlock[];
  /**
   * Takes the turn just written.
   * @param earlier the turns before it, oldest first; none for the first turn
   * @throws VqaTasksError `wrong_state` where the episode was over before
   */
  step(task: Task, turn: WrittenTurn, earlier?: readonly EarlierTurn[]): Promise<StepResult>;
};

export type EnvironmentSetup = {
  readonly preset?: EnvironmentPreset | undefined;
  /** Single options in place of the preset's. */
  readonly options?: Partial<EnvironmentOptions> | undefined;
  /** Needed where the scoring is `judge`. */
  readonly judge?: Judge | undefined;
};

/** @throws VqaTasksError `invalid_config` where the scoring needs a judge and none is given */
export function createEnvironment({ preset = "default", options, judge }: EnvironmentSetup = {}): Environment {
  const all: EnvironmentOptions = { ...environmentPresets[preset], ...options };
  const template = templateOf(all);
  const interpreterOf = interpreters(all);
  const documented = focusTools(all.tools);
  const score = createScorer(all.scoring, judge);
  const opening = (task: Task): PromptBlock[] => openingBlocks(task, documented, template, all.prompt);

  return {
    options: all,
    tools: documented,
    prompt: opening,
    async step(task, turn, earlier = []) {
      if (earlier.length > 0) return finish(score, task, turn, toolOfSecondTurn(task, earlier));
      const { outcome } = interpreterOf(task).run(turn.text, task);
      const image = outcome.image === undefined ? undefined : await identifyImage(outcome.image);
      const tool: ToolOutcome = { ...outcome, image };
      if (tool.status === "no_tool") return { tool, ...finish(score, task, turn, tool) };
      if (image === undefined) {
        if (!all.failureFeedback) return { tool, ...finish(score, task, turn, tool) };
        const blocks = failureBlocks(tool.reason?.message ?? tool.status, template);
        return { tool, next: { freshPrompt: false, blocks } };
      }
      const blocks = observationBlocks(image, template);
      const next =
        all.secondTurn === "append" ? { freshPrompt: false, blocks } : rebuilt(opening(task), blocks, turn, template);
      const { secondTemperature: temperature } = all;
      return { tool, next: temperature === undefined ? next : { ...next, temperature } };
    },
  };
}

function finish(score: Scorer, task: Task, turn: WrittenTurn, tool: ToolOutcome): StepResult {
  const rewards = score(task, turn.text).then(({ value }) => ({ outcome: value, ...rewardParts(task, tool) }));
  rewards.catch(() => undefined); // whoever reads them is told; who replays an episode for its turns does not read them
  return { done: { rewards } };
}

function toolOfSecondTurn(task: Task, earlier: readonly EarlierTurn[]): ToolOutcome {
  const tool = earlier[0]?.tool;
  if (earlier.length === 1 && tool !== undefined && tool.status !== "no_tool") return tool;
  throw new VqaTasksError(
    "wrong_state",
    `task ${task.id}: ${earlier.length} turns were written, the first with tool status ${tool?.status ?? "unknown"}; an episode has two turns, the second only after a tool call, so begin a new one`,
  );
}

/** v1's second prompt: both pictures, then the rest of the first prompt; the first turn is quoted up to its program's end. */
function rebuilt(
  opening: PromptBlock[],
  observation: PromptBlock[],
  turn: WrittenTurn,
  template: ToolTemplate,
): TurnInput {
  const isImage = ({ kind }: PromptBlock): boolean => kind === "image";
  return {
    freshPrompt: true,
    blocks: [...opening.filter(isImage), ...observation.filter(isImage), ...opening.filter((block) => !isImage(block))],
    assistant: [
      { id: "first-turn", kind: "observation", text: `${trimToProgramEnd(turn.text)}\n` },
      { id: "observation", kind: "observation", text: template.observation },
    ],
  };
}
