// TRM in GRPO's own loop with a real model, tools and traces, and its replay from disk.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { advantageFunction, grpoRecipe, replayFunctions, train } from "@iapo/grpo";
import { replayStep } from "@iapo/rollout-trace";
import { readStep } from "@iapo/rollout-trace/files";
import { openDevice } from "@iapo/tensor-core";
import { expect, test } from "vitest";
import { baselineOptionsSchema } from "../src/config.ts";
import { createBaseline, recordedVerifier } from "../src/index.ts";
import { chartTasks, environment, nanoModel } from "./support/models.ts";
import { optionsOf } from "./support/run.ts";

test("a step whose first turns have verdicts of their own", { timeout: 120_000 }, async () => {
  const directory = await mkdtemp(join(tmpdir(), "iapo-baseline-"));
  const device = await openDevice();
  const { policy } = await nanoModel(device, { seed: 1, trainable: true });
  const { iapo: _, ...options } = optionsOf({});
  const advantage = advantageFunction(options.advantage);
  const settings = baselineOptionsSchema.parse({ kind: "trm", verifier: "llm" });
  // Verdicts that no rule can give again: a replay has to take them from the trace.
  const baseline = createBaseline(settings, { advantage, verify: ({ sample }) => (sample % 2 === 0 ? 1 : 0) });
  const learner = { learningRate: () => 1e-3 };
  const recipe = grpoRecipe({ policy, environment, tasks: chartTasks, learner, ...baseline }, options);
  try {
    await train(recipe, { directory, steps: 1, checkpoint: { every: 1, keep: 1 }, settings: { options, settings } });
    const step = await readStep(join(directory, "steps/step-000000.jsonl"));
    const again = createBaseline(settings, { advantage, verify: recordedVerifier });
    const rewards = async (trace: (typeof step.traces)[number]) => ({
      ...trace.rewards,
      ...(await again.reward(trace)),
    });
    const functions = replayFunctions(options, { rewards, advantage: again.advantage });
    const report = await replayStep(step, functions);
    expect([report.difference, report.samples, report.updates]).toEqual([undefined, 6, 1]);
    const calls = step.traces.filter(({ toolOutcomes }) => toolOutcomes[0]!.status !== "no_tool");
    expect(calls.length).toBeGreaterThan(0);
    for (const trace of step.traces) expect("tool_verdict" in trace.rewards).toBe(calls.includes(trace));
    const perTurn = step.log.samples.filter(({ advantages }) => new Set(advantages).size > 1);
    expect(perTurn.length).toBeGreaterThan(0);
    expect(step.log.metrics["reward/tool_verdict"]).toBeGreaterThanOrEqual(0);
  } finally {
    recipe.dispose();
    policy.model.dispose();
    device.close();
    await rm(directory, { recursive: true, force: true });
  }
});
