// Settings that cannot run, cannot learn, or hardly will: --dry-run and train say the same of them before anything is written.
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readStep } from "@iapo/rollout-trace/files";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { iapo } from "../support/iapo.ts";

vi.setConfig({ testTimeout: 180_000 });

let folder: string;
let config: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "iapo-problems-"));
  config = join(folder, "tiny.yaml");
  writeFileSync(config, recipe);
});
afterEach(() => rmSync(folder, { recursive: true }));

const recipe = `extends: nano-grpo
model: { directory: nano-base, initialize: 1 }
grpo:
  steps: 1
  groups: 2
  rollout: { samples: 2, maxTokens: 6 }
  evaluate: { every: 1, tasks: 2 }
`;

test.each([
  ["grpo.rollout.samples=1", "a lone response"],
  ["grpo.rollout.sampling.temperature=0", "all responses to a task are the same"],
  ["grpo.groups=100000000", "grpo.groups"],
  ["grpo.optimizer.learningRate=1e10", "grpo.optimizer.learningRate"],
  ["grpo.optimizer.learningRate=NaN", "finite number"],
  ["grpo.rollout.maxTurns=1", "grpo.rollout.maxTurns: is 1"],
  ["grpo.rollout.maxTokens=5000", "4096 positions"],
])("%s is refused by --dry-run and by train, which writes nothing", async (setting, words) => {
  const out = join(folder, "refused");
  for (const more of [["--dry-run"], []]) {
    const { code, err } = await iapo(["train", config, "--set", setting, "--out", out, ...more]);
    expect(code).toBe(2);
    expect(err).toContain(words);
    expect(existsSync(out)).toBe(false);
  }
});

test("prompts that are too long are told by --dry-run, and fail the run or are left out of it", async () => {
  const limited = ["train", config, "--set", "data.limit=4", "--set", "grpo.rollout.maxPromptTokens=131"];
  const refused = await iapo([...limited, "--dry-run"]);
  expect([refused.code, refused.err]).toEqual([
    1,
    expect.stringMatching(/of 4 tasks have prompts of more than 131 tokens: nano-1-train/),
  ]);
  const skipping = [...limited, "--set", "grpo.rollout.onLongPrompt=skip"];
  expect((await iapo([...skipping, "--dry-run"])).out).toMatch(/^# warning: .*they are left out of training/m);
  const out = join(folder, "limited");
  const { code, err } = await iapo([...skipping, "--out", out]);
  expect([code, err]).toEqual([0, expect.stringMatching(/^! grpo\.rollout\.maxPromptTokens: /m)]);
  const { traces } = await readStep(join(out, "steps/step-000000.jsonl"));
  expect(traces.every(({ turns }) => turns[0]!.lossMask.indexOf(1) <= 131)).toBe(true);
});

test("a learning rate that is hardly meant is warned about: in words, and in the run's alarms", async () => {
  const out = join(folder, "warned");
  const args = ["train", config, "--set", "grpo.optimizer.learningRate=0.05", "--out", out];
  const dry = await iapo([...args, "--dry-run"]);
  expect([dry.code, dry.out]).toEqual([0, expect.stringMatching(/^# warning: grpo\.optimizer\.learningRate: /m)]);
  const { code, err } = await iapo(args);
  expect([code, err]).toEqual([0, expect.stringMatching(/^! grpo\.optimizer\.learningRate: /m)]);
  const { log } = await readStep(join(out, "steps/step-000000.jsonl"));
  expect(log.metrics["alarm/configuration"]).toBe(1);
});
