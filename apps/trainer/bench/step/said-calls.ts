// Calls put into the mouth of a model that was never taught such long prompts and writes none: it samples as it does, and then it has said these.
import type { QwenVLPolicy } from "@iapo/qwen-vl-model";
import type { Environment, Task } from "@iapo/rollout-trace";
import type { VisualContent } from "@iapo/vqa-tasks";
import { type Effect, toolProgram } from "@iapo/vqa-tasks/nano";

/** Changes the policy: response `i` to each prompt says `texts[i]`, at the price of what it samples, which may end sooner. */
export function sayCalls(policy: QwenVLPolicy, texts: readonly string[]): void {
  const open = policy.open.bind(policy);
  policy.open = async (prompts, options) => {
    const session = await open(prompts, options);
    const sample = session.generate.bind(session);
    session.generate = async ({ onTurn, ...request }) => {
      await sample(request);
      const turns = request.seeds.map((_, response) => {
        const prompt = prompts[Math.floor(response / request.samples)];
        if (!prompt) throw new Error(`response ${response} has no prompt`);
        return policy.transcribe(prompt, texts[response % texts.length] ?? "");
      });
      turns.forEach((turn, response) => void onTurn?.(response, turn));
      return turns;
    };
    return session;
  };
}

const effects = ["highlight", "mask", "draw"] as const satisfies readonly Effect[];

/** Eight calls, no two the same: axis, effect and names go round. */
export function eightCalls(names: readonly string[]): string[] {
  return Array.from({ length: 8 }, (_, i) => {
    const [axis, effect] = [i % 2 === 0 ? "columns" : "rows", effects[i % effects.length] ?? "mask"] as const;
    const asked = [...names.slice(i % names.length), ...names.slice(0, i % names.length)];
    return toolProgram(axis, effect, asked, { form: "variable" });
  });
}

/** An episode is its first turn, which gets a reward that differs within a group. */
export function ofOneTurn(charts: Environment<VisualContent>): Environment<VisualContent> {
  return {
    contentSchema: charts.contentSchema,
    maxTurns: 1,
    prompt: (task: Task<VisualContent>) => charts.prompt(task),
    async step(task, turn, earlier) {
      const made = await charts.step(task, turn, earlier);
      return { ...(made.tool && { tool: made.tool }), done: { rewards: { outcome: turn.text.length % 2 } } };
    },
  };
}
