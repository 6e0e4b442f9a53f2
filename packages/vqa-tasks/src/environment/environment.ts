// A question about a chart or table as an episode of at most two turns: look, call a tool, see the edited picture, answer.
// It keeps no state, so any number of samples may run at one time and a step can be replayed from a trace.
import {
  type EarlierTurn,
  type Environment,
  identifyImage,
  type PromptBlock,
  type StepResult,
  type ToolOutcome,
  type TurnInput,
} from "@iapo/rollout-trace";
import {
  failureBlocks,
  focusTools,
  observationBlocks,
  type Tool,
  type ToolOptions,
  type ToolTemplate,
  trimToProgramEnd,
  unchangedBlocks,
} from "@iapo/visual-tools";
import { VqaTasksError } from "../error.ts";
import type { Judge } from "../scoring/judge.ts";
import { createScorer } from "../scoring/score.ts";
import { type VisualContent, type VisualTask, visualContentSchema } from "../task.ts";
import { type EnvironmentOptions, type EnvironmentPreset, environmentPresets } from "./options.ts";
import { openingBlocks, templatesOf } from "./prompts.ts";
import { rewardParts } from "./rewards.ts";
import { callableTools, interpreters, programInput } from "./tools.ts";

/** An {@link Environment} that says how it runs; `done.rewards` reject with VqaTasksError `judge_failed`. */
export type VqaEnvironment = Environment<VisualContent> & {
  readonly options: EnvironmentOptions;
  /** What prompts describe. */
  readonly tools: readonly Tool[];
  /** What programs may call: these, and twins of the focus tools for chart axes. */
  readonly callable: readonly Tool[];
  /** @throws VqaTasksError `wrong_state` where the episode was over before */
  step(task: VisualTask, turn: { readonly text: string }, earlier?: readonly EarlierTurn[]): Promise<StepResult>;
};

export interface EnvironmentSetup {
  readonly preset?: EnvironmentPreset | undefined;
  /** Single options in place of the preset's. */
  readonly options?: Partial<EnvironmentOptions> | undefined;
  /** In place of the six focus tools: what prompts describe and programs may call. */
  readonly tools?: ((options: ToolOptions) => readonly Tool[]) | undefined;
  /** In place of the template that the option `prompt` names. */
  readonly template?: ToolTemplate | undefined;
  /** Needed where the scoring is `judge`. */
  readonly judge?: Judge | undefined;
}

/** @throws VqaTasksError `invalid_config` where the scoring needs a judge and none is given */
export function createEnvironment({
  preset = "default",
  options,
  judge,
  tools,
  template: ownTemplate,
}: EnvironmentSetup = {}): VqaEnvironment {
  const all: EnvironmentOptions = { ...environmentPresets[preset], ...options };
  const own = tools?.(all.tools);
  const documented = own ?? focusTools(all.tools);
  const callable = callableTools(all.tools, own);
  const templates = templatesOf(all, documented, ownTemplate);
  const template = templates.usual; // of what follows a program, where the two are one
  const interpreterOf = interpreters(all, callable);
  const score = createScorer(all.scoring, judge);
  const opening = (task: VisualTask): PromptBlock[] => openingBlocks(task.content, documented, templates, all.prompt);

  const finish = (task: VisualTask, turn: { readonly text: string }, tool: ToolOutcome): StepResult => {
    const { content, source } = task;
    const parts = rewardParts(content, tool, callable);
    const rewards = score({ ...content, source }, turn.text).then(({ value }) => ({ outcome: value, ...parts }));
    rewards.catch(() => undefined); // whoever reads them is told; who replays an episode for its turns does not read them
    return { done: { rewards } };
  };

  return {
    options: all,
    tools: documented,
    callable,
    maxTurns: 2,
    contentSchema: visualContentSchema,
    prompt: opening,
    async step(task, turn, earlier = []) {
      if (earlier.length > 0) return finish(task, turn, toolOfSecondTurn(task, earlier));
      const { outcome } = interpreterOf(task.content).run(turn.text, programInput(task));
      const image = outcome.image === undefined ? undefined : await identifyImage(outcome.image);
      const tool: ToolOutcome = { ...outcome, image };
      if (tool.status === "no_tool") return { tool, ...finish(task, turn, tool) };
      if (image === undefined) {
        if (!all.failureFeedback) return { tool, ...finish(task, turn, tool) };
        const blocks = failureBlocks(tool.reason?.message ?? tool.status, template);
        return { tool, next: { freshPrompt: false, blocks } };
      }
      if (!tool.changed && all.tools.unknownKey !== "published" && template.unchanged !== undefined) {
        const missed = tool.keys.length === 0 && tool.unknownKeys.length > 0;
        const told = missed ? unchangedBlocks(tool.unknownKeys, template) : undefined;
        const blocks = told ?? failureBlocks("what it shows is the picture as it was", template);
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

function toolOfSecondTurn(task: VisualTask, earlier: readonly EarlierTurn[]): ToolOutcome {
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
  turn: { readonly text: string },
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
