// What a nano model does on held-out charts, sampled at temperature 1: greedy decoding hides its misuse.
import { rollout } from "@iapo/grpo";
import { loadModel, QwenVLPolicy } from "@iapo/qwen-vl-model";
import type { Policy, Trace } from "@iapo/rollout-trace";
import { type Device, deriveSeed } from "@iapo/tensor-core";
import type { ToolAlias } from "@iapo/visual-tools";
import { lookup, lookupBlocks } from "@iapo/vqa-tasks/nano";
import { nanoWorld } from "./examples.ts";
import type { Stage } from "./stages.ts";

/** As the README of nano-vl shows it. */
export async function measureDirectory(
  device: Device,
  directory: string,
  { world, base }: { readonly world?: Stage["charts"]; readonly base?: "int8" | undefined } = {},
): Promise<Record<string, number>> {
  const { model, processor } = await loadModel(device, directory, { base });
  try {
    const policy = new QwenVLPolicy(model, processor);
    const episodes = await measure(policy, { seed: 1000, charts: 448, world });
    return world?.tools === "in_context"
      ? { ...episodes, ...(await measureLookups(policy, { seed: 1000, charts: 64, world })) }
      : episodes;
  } finally {
    model.dispose();
  }
}

interface MeasureOptions {
  readonly seed: number;
  /** One sampled episode each. */
  readonly charts: number;
  readonly split?: "validation" | "test";
  readonly world: Stage["charts"];
}

/** Rates in 0..1. Of all episodes, but where a name says of which. */
async function measure(policy: Policy, options: MeasureOptions): Promise<Record<string, number>> {
  const { seed, charts: count, split = "validation", world } = options;
  const { charts, environment } = await nanoWorld(seed, world);
  const tasks = await Promise.all(Array.from({ length: count }, async (_, i) => (await charts.chart(split, i)).task));
  const { groups } = await rollout(
    policy,
    environment,
    tasks,
    { samples: 1, sampling: { temperature: 1 }, maxTokens: 48, groupsAtOnce: 64 },
    { step: 0, seed: (...at) => deriveSeed(seed, "measure", ...at) },
  );
  const traces = groups.flat();
  const rate = (of: readonly Trace[], part: string): number =>
    of.reduce((sum, { rewards }) => sum + (rewards[part] ?? 0), 0) / Math.max(1, of.length);
  const calls = traces.filter(({ rewards }) => rewards.tool_call === 1);
  const wellFormed = calls.filter(({ toolOutcomes: [first] }) => first?.status === "ok");
  const rightAxis = wellFormed.filter(({ rewards }) => rewards.tool_misuse === 0);
  const wrongAxis = wellFormed.filter(({ rewards }) => rewards.tool_misuse === 1);
  return {
    calls: calls.length / traces.length,
    wellFormed: wellFormed.length / traces.length,
    wrongAxis: rate(traces, "tool_misuse"),
    rightNames: rate(traces, "tool_names"),
    changed: rate(traces, "tool_changed"),
    answers: rate(traces, "outcome"),
    answersAfterRightAxis: rate(rightAxis, "outcome"),
    answersAfterWrongAxis: rate(wrongAxis, "outcome"),
  };
}

/** Of sampled lists of definitions: lines whose name is one of the prompt's, and lines whose name has that definition. */
async function measureLookups(
  policy: Policy,
  { seed, charts: count, split = "validation", world }: MeasureOptions,
): Promise<Record<"validLookups" | "rightLookups", number>> {
  const { charts, environment } = await nanoWorld(seed, world);
  const prompts = await Promise.all(
    Array.from({ length: count }, async (_, i) => {
      const exercise = await lookup(charts, split, i, "drawn");
      return { task: exercise.task, blocks: lookupBlocks(environment, exercise) };
    }),
  );
  const session = await policy.open(prompts.map(({ blocks }) => ({ freshPrompt: true, blocks })));
  try {
    const turns = await session.generate({
      samples: 1,
      sampling: { temperature: 1 },
      seeds: prompts.map((_, i) => deriveSeed(seed, "lookups", i)),
      maxTokens: 48,
    });
    const lines = turns.flatMap(({ text }, i) => {
      const { aliases = [] } = prompts[i]!.task.content;
      return text
        .trim()
        .split("\n")
        .map((line) => ({ line, aliases }));
    });
    const rate = (fits: (line: string, alias: ToolAlias) => boolean) =>
      lines.filter(({ line, aliases }) => aliases.some((alias) => fits(line, alias))).length /
      Math.max(1, lines.length);
    return {
      validLookups: rate((line, { name }) => line.endsWith(`: ${name}`)),
      rightLookups: rate((line, { tool, name }) => line === `${tool}: ${name}`),
    };
  } finally {
    session.close();
  }
}
