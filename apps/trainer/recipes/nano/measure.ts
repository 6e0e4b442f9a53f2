// What a nano model does on held-out charts, sampled at temperature 1: greedy decoding hides its misuse.
import { rollout } from "@iapo/grpo";
import { loadModel, QwenVLPolicy } from "@iapo/qwen-vl-model";
import type { Policy, Trace } from "@iapo/rollout-trace";
import { type Device, deriveSeed } from "@iapo/tensor-core";
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
    return await measure(new QwenVLPolicy(model, processor), { seed: 1000, charts: 448, world });
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
