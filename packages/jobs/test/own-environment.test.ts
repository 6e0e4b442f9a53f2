// An environment of the user's own, without pictures, by its module: trained, evaluated, resumed, replayed; and what is refused.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { studentDirectory } from "@iapo/nano-vl";
import { readRun } from "@iapo/rollout-trace/files";
import { expect, test, vi } from "vitest";
import { loadConfig } from "../src/config/load.ts";
import { openJob } from "../src/open-job.ts";
import { loadEnvironment } from "../src/parts/own-environment.ts";
import { replayRun } from "../src/replay/replay.ts";
import { checkJob } from "../src/run/check.ts";
import { runJob } from "../src/run/run-job.ts";
import { temporaryFolder } from "./support/folder.ts";

vi.setConfig({ testTimeout: 180_000 });

/** Two turns of text: the more is written, the better. */
const module = `import type { EnvironmentModule } from "@iapo/jobs";
import { z } from "zod";

const make: EnvironmentModule<{ word: string }> = ({ words }) => {
  const source = (split: string) => ({
    length: 4,
    task: (index: number) => ({ id: split + index, source: "words", split, content: { word: words[index % words.length] } }),
  });
  return {
    environment: {
      contentSchema: z.strictObject({ word: z.string() }),
      maxTurns: 2,
      prompt: ({ content }) => [{ id: "query", kind: "query", text: content.word + "\\n" }],
      async step(_, { text }, [first]) {
        if (first) return { done: { rewards: { outcome: first.text.length + text.length } } };
        return { next: { freshPrompt: false, blocks: [{ id: "more", kind: "observation", text: "Go on.\\n" }] } };
      },
    },
    tasks: source("train"),
    validation: source("validation"),
  };
};
export default make;
`;
const configuration = `extends: nano-grpo
data:
environment: { module: ./own.ts, options: { words: [one, two, three] }, prompt: }
grpo:
  groups: 2
  rollout: { samples: 2, maxTokens: 6 }
  evaluate: { every: 2, tasks: 2 }
`;

function project(text = module): { readonly file: string; readonly own: string; readonly directory: string } {
  const folder = temporaryFolder();
  const own = join(folder, "own.ts");
  writeFileSync(own, text);
  const file = join(folder, "my.yaml");
  writeFileSync(file, configuration);
  return { file, own, directory: join(folder, "run") };
}

test("it is trained with, evaluated, resumed and replayed; another module is another run", async () => {
  const { file, own, directory } = project();
  const job = (steps: number, source = file, trust = false) =>
    openJob(source, { set: [`grpo.steps=${steps}`], directory, trust });
  await expect(checkJob(job(2))).resolves.toMatchObject({ tasks: 4, firstTask: { id: "train0" } });
  const { done, last } = await runJob(job(2));
  expect(done).toBe(true);
  expect(last?.["val/reward_score"]).toBeGreaterThan(0);
  let samples = 0;
  for await (const { task, turns, rewards } of readRun(join(directory, "steps"))) {
    samples++;
    expect(task.content).toEqual({ word: expect.stringMatching(/^(one|two|three)$/) });
    expect(rewards.outcome).toBe(turns.reduce((sum, { text }) => sum + text.length, 0));
    expect(turns).toHaveLength(2);
  }
  expect(samples).toBe(8);

  await expect(replayRun(directory)).rejects.toMatchObject({
    code: "untrusted",
    message: expect.stringContaining(own),
  });
  const replayed = { steps: 2, samples: 8, updates: 2, verified: 8 };
  await expect(replayRun(directory, { trust: true, model: studentDirectory })).resolves.toMatchObject(replayed);
  await expect(runJob(job(3, directory), { resume: true })).rejects.toMatchObject({ code: "untrusted" });

  writeFileSync(own, `${module}// changed\n`);
  const changed = runJob(job(3), { resume: true });
  await expect(changed).rejects.toThrow(/environment\/module/);
  await expect(changed).rejects.toMatchObject({ code: "differs" });
  writeFileSync(own, module);
  await expect(runJob(job(3, directory, true), { resume: true })).resolves.toMatchObject({ done: true, step: 3 });
});

test("rewards of turns are added to the outcome, kept as its parts, and replayed; one that is no number fails its episode", async () => {
  const rewarding = module
    .replace("rewards: { outcome: first.text.length + text.length }", "rewards: { outcome: 0.5 }")
    .replace("return { done:", "return { reward: text.length, done:")
    .replace("return { next:", "return { reward: 0.25 * text.length, next:");
  const { file, directory } = project(rewarding);
  const set = ["grpo.steps=1", "grpo.evaluate=", "grpo.rollout.onFailure=drop"];
  const { done } = await runJob(openJob(file, { set, directory }));
  expect(done).toBe(true);
  for await (const { turns, rewards } of readRun(join(directory, "steps"))) {
    const [first = 0, second = 0] = turns.map(({ text }) => text.length);
    expect(rewards).toEqual({ turn_0: 0.25 * first, turn_1: second, outcome: 0.5 + 0.25 * first + second });
  }
  expect(await replayRun(directory, { trust: true })).toMatchObject({ samples: 4, largestDifference: 0 });

  const broken = project(rewarding.replace("reward: text.length", "reward: NaN"));
  const failing = runJob(openJob(broken.file, { set: [...set, "grpo.steps=3"], directory: broken.directory }));
  await expect(failing).rejects.toThrow(/all episodes failed, .*the reward turn_1 is NaN/);
});

test.each([
  ["export default 1;", /own\.ts: what it exports is no function of options, but number/],
  ["export default () => { throw new Error('no words'); };", /own\.ts: it throws no words/],
  ["export default () => undefined;", /own\.ts: it gives no \{ environment, tasks, validation\? \}/],
  [module.replace("length: 4", "length: 0"), /is no count of tasks[\s\S]*tasks\.length/],
  [module.replace("prompt: (", "promt: ("), /is no function of a task[\s\S]*environment\.prompt/],
  [module.replace("z.strictObject({ word: z.string() })", "{}"), /is no schema of zod/],
])("a module that is none is refused with its file: %#", async (text, message) => {
  const found = loadEnvironment(project(text).own, { words: ["one"] });
  await expect(found).rejects.toThrow(message);
  await expect(found).rejects.toMatchObject({ code: "invalid" });
});

test("a task that is none is refused with its number", async () => {
  const { tasks } = await loadEnvironment(project().own, { words: ["one", 2] });
  await expect(tasks.train.task(0)).resolves.toMatchObject({ id: "train0" });
  await expect(tasks.train.task(1)).rejects.toThrow(/own\.ts: number 1 of its tasks is no task of it: [\s\S]*string/);
});

test.each([
  [["environment.prompt=compact"], /environment\.prompt: environment\.module has no such option/],
  [["data.nanoCharts.seed=1"], /data: environment\.module has tasks of its own/],
  [["environment.module="], /environment\.options: they are for environment\.module/],
  [["environment.module=", "environment.options="], /data: give either nanoCharts or files/],
  [["environment.module=no-such-package"], /there is no such file or package/],
])("%j is refused", (set, message) => {
  const { file } = project();
  expect(() => loadConfig(file, set)).toThrow(message);
});

test("without held-out tasks an evaluation is refused", async () => {
  const { file } = project(module.replace('validation: source("validation")', "validation: undefined"));
  await expect(checkJob(openJob(file))).rejects.toThrow(/grpo\.evaluate: needs held-out tasks, and .*own\.ts gives no/);
});

test("a module may be a package's", () => {
  const { file, own } = project();
  const place = join(own, "../node_modules/my-world");
  mkdirSync(place, { recursive: true });
  writeFileSync(join(place, "package.json"), '{ "name": "my-world", "exports": "./main.js" }');
  writeFileSync(join(place, "main.js"), "export const one = () => {};");
  writeFileSync(file, configuration.replace("./own.ts", "my-world#one"));
  expect(loadConfig(file).config.environment.module).toBe(`${join(place, "main.js")}#one`);
});
