// Tasks whose prompts are too long are told before a run, and left out where that is asked.
import { type Device, openDevice } from "@iapo/tensor-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { limitPrompts, rollout } from "../src/index.ts";
import { charts, chartTasks, nanoPolicy } from "./support/nano.ts";

let device: Device;
let policy: Awaited<ReturnType<typeof nanoPolicy>>;
let tasks: { length: number; task: (index: number) => Awaited<ReturnType<typeof chartTasks>>[number] };
beforeAll(async () => {
  device = await openDevice();
  policy = await nanoPolicy(device);
  const all = await chartTasks(4);
  const [first, second] = [all[0]!, all[1]!];
  const long = { ...second, content: { ...second.content, question: `${"Why ".repeat(3000)}?` } };
  tasks = { length: 4, task: (index) => [first, long, all[2]!, all[3]!][index]! };
});
afterAll(() => {
  policy.model.dispose();
  device.close();
});

const limit = (onLongPrompt: "fail" | "skip", maximum = 1000) => ({
  environment: charts,
  policy,
  maximum,
  onLongPrompt,
});

test("counted are the tokens that a rollout puts in", async () => {
  const [task] = await chartTasks(1);
  const count = policy.countTokens({ freshPrompt: true, blocks: charts.prompt(task!) });
  const options = { samples: 1, sampling: { temperature: 1 }, maxTokens: 2, maxTurns: 2 };
  const { groups } = await rollout(policy, charts, [task!], options, { step: 0, seed: () => [1, 2] });
  expect(groups[0]?.[0]?.turns[0]?.lossMask.indexOf(1)).toBe(count);
});

test("a long prompt is left out, and the others keep their order", async () => {
  const { tasks: kept, skipped } = await limitPrompts(tasks, limit("skip"));
  expect(skipped).toEqual([{ id: tasks.task(1).id, tokens: expect.any(Number) }]);
  expect(skipped[0]!.tokens).toBeGreaterThan(3000);
  expect([0, 1, 2].map((place) => kept.task(place))).toEqual([0, 2, 3].map((index) => tasks.task(index)));
  expect(kept.length).toBe(3);
});

test("where it fails, tasks and tokens are named; so it does where no task is left", async () => {
  await expect(limitPrompts(tasks, limit("fail"))).rejects.toThrow(
    new RegExp(`^1 of 4 tasks have prompts of more than 1000 tokens: ${tasks.task(1).id} \\(\\d+\\); .*onLongPrompt`),
  );
  await expect(limitPrompts(tasks, limit("skip", 10))).rejects.toMatchObject({ code: "data" });
  await expect(limitPrompts(tasks, { ...limit("skip"), policy: {} })).rejects.toMatchObject({ code: "argument" });
  const signal = AbortSignal.abort(new Error("enough"));
  await expect(limitPrompts(tasks, { ...limit("skip"), signal })).rejects.toThrow("enough");
});
