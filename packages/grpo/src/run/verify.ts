// How a trace's turns are made again from its task, for rollout-trace's `verifyTrace`: prompt, tools and encoding once more, sampled ids as they are.
import type {
  EarlierTurn,
  Environment,
  ImageRef,
  Scribe,
  Task,
  Trace,
  Turn,
  TurnInput,
  TurnRenderer,
} from "@iapo/rollout-trace";
import { GrpoError } from "../error.ts";

/** @param taskOf the trace's task with its pixels, from where the run had it */
export function traceRenderer<Content>(
  scribe: Scribe,
  environment: Environment<Content>,
  taskOf: (trace: Trace<ImageRef>) => Task<Content> | Promise<Task<Content>>,
): TurnRenderer {
  return async (trace, index, sampledIds) => {
    const task = await taskOf(trace);
    let input: TurnInput = { freshPrompt: true, blocks: environment.prompt(task) };
    let firstBlock = 0;
    let before: Turn | undefined;
    const earlier: EarlierTurn[] = [];
    for (const [turn, { tokens, lossMask }] of trace.turns.slice(0, index).entries()) {
      const ids = tokens.filter((_, i) => lossMask[i] === 1);
      before = scribe.render(input, ids, input.freshPrompt ? undefined : before);
      const { next, tool } = await environment.step(task, before, [...earlier]);
      if (!next) throw new GrpoError("data", `task ${task.id}: the environment ends the episode after turn ${turn}`);
      earlier.push({ text: before.text, tool });
      firstBlock += input.blocks.length + (input.assistant?.length ?? 0);
      input = next;
    }
    const made = scribe.render(input, sampledIds, input.freshPrompt ? undefined : before);
    return { ...made, blocks: made.blocks.map((block) => (block < 0 ? -1 : block + firstBlock)) };
  };
}
