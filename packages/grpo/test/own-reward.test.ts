// What a user's reward function may give, and what becomes of the rest: never a run on other rewards than it says.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Trace, traceVersion } from "@iapo/rollout-trace";
import { afterAll, expect, test } from "vitest";
import { loadFunction, type RewardFunction, withOwnReward } from "../src/index.ts";

const folder = mkdtempSync(join(tmpdir(), "own-reward-"));
afterAll(() => rmSync(folder, { recursive: true }));

const trace: Trace = {
  version: traceVersion,
  step: 0,
  group: 3,
  sample: 5,
  policyVersion: 0,
  task: { id: "a", source: "", split: "", content: "text" },
  blocks: [],
  turns: [],
  toolOutcomes: [],
  rewards: { outcome: 0.25, tool_call: 1 },
};

async function load(source: string): Promise<RewardFunction> {
  const file = join(folder, `${Math.random()}.mjs`);
  writeFileSync(file, source);
  return loadFunction<RewardFunction>(file, ".");
}

test.each([
  ["1", { outcome: 1, tool_call: 1 }],
  ["{ outcome: 2, mine: 3 }", { outcome: 2, tool_call: 1, mine: 3 }],
  ["{ tool_call: 0 }", { outcome: 0.25, tool_call: 0 }],
  ["Promise.resolve(-1)", { outcome: -1, tool_call: 1 }],
])("%s counts", async (value, expected) => {
  const reward = await load(`export default () => (${value});`);
  expect((await withOwnReward(trace, reward)).rewards).toEqual(expected);
});

test.each([
  ["undefined", /it gives undefined/],
  ["NaN", /it gives NaN/],
  ["null", /it gives null/],
  ["true", /it gives true/],
  ["[0]", /it gives \[0\]/],
  ["'high'", /it gives high/],
  ["{ outcome: 'high' }", /it gives \{"outcome":"high"\}/],
  ["{ outcome: NaN }", /it gives \{"outcome":"NaN"\}/],
  ["{ score: 0 }", /\{"score":0\}, which names no reward; name outcome, or one of outcome, tool_call/],
  ["{}", /names no reward/],
  ["missing.key", /it throws missing is not defined/],
])("%s is an error with function, file, group, sample and value", async (value, message) => {
  const reward = await load(`export const strict = () => (${value});\nexport default strict;`);
  const found = withOwnReward(trace, reward);
  await expect(found).rejects.toThrow(message);
  await expect(found).rejects.toThrow(/the reward function default of .*\.mjs, at group 3, sample 5: /);
  await expect(found).rejects.toMatchObject({ code: "module" });
});
