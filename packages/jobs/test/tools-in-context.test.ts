// Tools in context from a configuration: learned from by examples, trained on by IAPO, planned and replayed.
import { join } from "node:path";
import { readRun } from "@iapo/rollout-trace/files";
import { openDevice } from "@iapo/tensor-core";
import { storedVisualContent } from "@iapo/vqa-tasks";
import { expect, test, vi } from "vitest";
import { openJob, planJob, replayRun, runJob } from "../src/index.ts";
import { temporaryFolder } from "./support/folder.ts";

vi.setConfig({ testTimeout: 180_000 });

const inContext = ["model.directory=nano-context-student", "data.nanoCharts.tools=in_context"];

test("a step of IAPO: prompts define the chart's names, traces keep them, blocks have the tools' own ids, and the replay is the run", async () => {
  const directory = join(temporaryFolder(), "run");
  const small = ["grpo.steps=1", "grpo.groups=2", "grpo.evaluate=", "grpo.rollout.samples=2"];
  const job = openJob("nano-iapo-occlusion", {
    set: [...inContext, "teacher.directory=nano-context-teacher", ...small],
    directory,
  });
  using device = await openDevice();
  expect((await planJob(job, { device })).phases.map(({ name }) => name)).toContain("penalty");
  expect((await runJob(job, { device })).done).toBe(true);
  const orders = new Set<string>();
  for await (const { task, blocks } of readRun(join(directory, "steps"))) {
    const { aliases = [] } = storedVisualContent(task);
    const tools = blocks.flatMap((block) => (block.kind === "tool" ? [block] : []));
    expect(tools.map(({ id }) => id)).toEqual(aliases.map(({ tool }) => `tool:${tool}`));
    for (const [place, { text }] of tools.entries()) expect(text.endsWith(`: ${aliases[place]?.name}\n`)).toBe(true);
    orders.add(JSON.stringify(aliases));
  }
  expect(orders.size).toBe(2);
  expect((await replayRun(directory)).largestDifference).toBe(0);
});

test("supervised learning: chains, glossaries, lookups and episodes under names of the chart", async () => {
  const directory = join(temporaryFolder(), "run");
  const small = [
    "supervised.steps=1",
    "supervised.batchSize=8",
    "data.nanoCharts.style.program=defined",
    "supervised.mixture={captions: 0, copies: 0, lookups: 0.3, glossaries: 0.1, chains: 0.2, renamed: 0.2}",
  ];
  const job = openJob("nano-sft", { set: [...inContext, "model.initialize=", ...small], directory });
  const losses: (number | undefined)[] = [];
  expect((await runJob(job, { onStep: (_, metrics) => losses.push(metrics["train/loss"]) })).done).toBe(true);
  expect(losses).toEqual([expect.any(Number)]);
  expect(losses[0]).toBeGreaterThan(0);
});
