// Rollouts on a nano model in the real chart environment, and failures of environments.

import { type Environment, type Image, identifyImage, type Policy, type Turn, verifyTrace } from "@iapo/rollout-trace";
import { type Device, deriveSeed, noGrad, openDevice } from "@iapo/tensor-core";
import { withFailingAllocations } from "@iapo/tensor-core/testing";
import type { VisualContent, VisualTask } from "@iapo/vqa-tasks";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { GrpoError, type RolloutOptions, rollout, traceRenderer } from "../src/index.ts";
import { Stopwatch } from "../src/run/recipe.ts";
import { chartTasks, environment, nanoPolicy } from "./support/nano.ts";

let device: Device;
beforeAll(async () => {
  device = await openDevice();
});
afterEach(() => expect(device.memory().byTag).toEqual({})); // a rollout leaves nothing, however it ends
afterAll(() => device.close());

const options: RolloutOptions = { samples: 4, sampling: { temperature: 1 }, maxTokens: 12 };
const place = { step: 3, seed: (...at: number[]) => deriveSeed("rollout", ...at) };

test.each([{ dtype: "f32" }, { dtype: "bf16" }, { dtype: "f32", lora: true }] as const)(
  "two turns, and log-probs of the packed traces equal to the bit: %o",
  async (kind) => {
    const policy = await nanoPolicy(device, kind);
    const tasks = await chartTasks(2);
    const { groups, failures } = await rollout(policy, environment, tasks, options, place);
    expect(failures).toEqual([]);
    expect(groups.map((traces) => traces.length)).toEqual([4, 4]);
    const traces = groups.flat();
    expect(new Set(traces.map(({ turns }) => turns.length))).toEqual(new Set([1, 2]));
    const processed = policy.images.processed;
    const packed = policy.pack(groups);
    const { logProb, entropy } = noGrad(() => packed.logProbs());
    const expected = traces.flatMap(({ turns }) => turns.flatMap(({ logProbs }) => [...logProbs]));
    expect([...(await logProb.values())]).toEqual(expected);
    expect(policy.images.processed).toBe(processed);
    logProb.dispose();
    entropy.dispose();
    packed.dispose();
    policy.model.dispose();
  },
);

test("memory that runs out under way: fewer groups at once, the same traces to the bit, and no byte stays", async () => {
  const policy = await nanoPolicy(device, {});
  const tasks = await chartTasks(3);
  const expected = await rollout(policy, environment, tasks, options, place);
  const warnings: string[] = [];
  let made: typeof expected | undefined;
  const again = async (): Promise<void> => {
    const onWarning = (text: string): unknown => warnings.push(text);
    made = await rollout(policy, environment, tasks, { ...options, onWarning }, place);
  };
  const { allocations } = await withFailingAllocations(device, { from: Number.POSITIVE_INFINITY }, again);
  for (const from of [1, Math.floor(allocations / 2), allocations]) {
    await withFailingAllocations(device, { from, count: 1 }, again);
    expect(made, `allocation ${from}`).toEqual(expected);
  }
  expect(warnings).toEqual(
    Array.from({ length: 3 }, () => expect.stringMatching(/^memory ran out with 3 .* 2 at once/)),
  );
  policy.model.dispose();
});

test("what the environment took of the thread, and what was waited for, is told", async () => {
  const policy = await nanoPolicy(device, {});
  const slow: Environment<VisualContent> = {
    ...environment,
    step(task, turn, earlier) {
      const until = performance.now() + 20;
      while (performance.now() < until);
      return environment.step(task, turn, earlier).then(async (result) => {
        await new Promise((resolve) => setTimeout(resolve, 150));
        return result;
      });
    },
  };
  const told: { tools: number; waiting: number }[] = [];
  const onTimes = (times: { tools: number; waiting: number }): unknown => told.push(times);
  const begun = performance.now();
  await rollout(policy, slow, await chartTasks(1), { ...options, onTimes }, place);
  const whole = performance.now() - begun;
  const [times] = told;
  expect(told).toHaveLength(1);
  expect(times?.tools).toBeGreaterThanOrEqual(4 * 20);
  expect(times?.waiting).toBeGreaterThan(100);
  expect((times?.tools ?? 0) + (times?.waiting ?? 0)).toBeLessThan(whole);
  policy.model.dispose();
});

test("parts of a step share no moment: what is split off a part is taken from it", async () => {
  const watch = new Stopwatch();
  await watch.time("rollout", () => new Promise((resolve) => setTimeout(resolve, 60)));
  const { rollout: whole = 0 } = watch.timings;
  watch.split("rollout", { tools: 10, waiting: 20 });
  expect(watch.timings).toEqual({ rollout: whole - 30, tools: 10, waiting: 20 });
});

/** The chart environment with a fault in the episodes of one sample of each group; which sample it is shows in the order of steps. */
function faulty(fault: (call: number) => Promise<void> | void): Environment<VisualContent> {
  let call = 0;
  return {
    contentSchema: environment.contentSchema,
    prompt: (task) => environment.prompt(task),
    async step(task, turn, earlier) {
      await fault(call++);
      return environment.step(task, turn, earlier);
    },
  };
}

const failing = (): Environment<VisualContent> =>
  faulty((call) => {
    if (call === 1) throw new Error("the tool broke");
  });

/** A policy whose sessions tell of no turn as it ends, and hand out the first `count` turns. */
function silent(policy: Policy, count: number): Policy {
  return {
    version: 0,
    open: async (prompts) => {
      const session = await policy.open(prompts);
      return {
        generate: async ({ onTurn: _, ...request }) => (await session.generate(request)).slice(0, count),
        append: (next) => session.append(next),
        close: () => session.close(),
      };
    },
  };
}

test("turns that a session did not tell of are taken when they are all written; too few are an error", async () => {
  const policy = await nanoPolicy(device);
  const tasks = await chartTasks(1);
  const told = await rollout(policy, environment, tasks, options, place);
  const untold = await rollout(silent(policy, 4), environment, tasks, options, place);
  expect(untold.groups).toEqual(told.groups);
  const short = rollout(silent(policy, 3), environment, tasks, options, place);
  await expect(short).rejects.toThrow("the policy wrote 3 turns where 4 were asked for");
  policy.model.dispose();
});

test("a failed episode is dropped, penalized, or stops the rollout", async () => {
  const policy = await nanoPolicy(device);
  const tasks = await chartTasks(1);
  const run = (more: Partial<RolloutOptions>) => rollout(policy, failing(), tasks, { ...options, ...more }, place);
  const dropped = await run({ onFailure: "drop" });
  expect(dropped.failures).toHaveLength(1);
  const { sample, message } = dropped.failures[0]!;
  expect(message).toContain("the tool broke");
  expect(dropped.groups[0]!.map(({ rewards }) => Object.keys(rewards).length > 0)).toEqual(
    [0, 1, 2, 3].map((i) => i !== sample),
  );
  const penalized = await run({ onFailure: "penalize", failureReward: -1 });
  expect(penalized.groups[0]![sample]!.rewards).toEqual({ outcome: -1 });
  await expect(run({})).rejects.toThrow(GrpoError);
  await expect(run({})).rejects.toThrow(/sample \d, task \S+ failed: the tool broke/);
  policy.model.dispose();
});

/** No processor takes such sides. */
async function strip(): Promise<Image> {
  return identifyImage({ width: 8192, height: 1, channels: 3, data: new Uint8Array(3 * 8192) });
}

test("a prompt that cannot be encoded fails its own episodes, which name the task; the others are as ever", async () => {
  const policy = await nanoPolicy(device);
  const tasks = await chartTasks(3);
  const bad = { ...tasks[1]!, id: "the-strip", content: { ...tasks[1]!.content, image: await strip() } };
  const some = [tasks[0]!, bad, tasks[2]!];
  const run = (of: readonly VisualTask[], more: Partial<RolloutOptions> = {}) =>
    rollout(policy, environment, of, { ...options, onFailure: "drop", ...more }, place);
  const whole = await run(tasks);
  for (const groupsAtOnce of [1, 2, 3]) {
    const { groups, failures } = await run(some, { groupsAtOnce });
    expect(groups).toEqual([whole.groups[0], [], whole.groups[2]]);
    expect(failures.map(({ group, sample, task }) => [group, sample, task])).toEqual(
      [0, 1, 2, 3].map((sample) => [1, sample, "the-strip"]),
    );
    expect(failures[0]!.message).toMatch(/8192/);
  }
  expect((await run([bad], { onFailure: "penalize" })).groups).toEqual([[]]); // nothing was written that could be penalized
  await expect(run(some, { onFailure: "stop" })).rejects.toThrow(/group 1, sample 0, task the-strip failed: .*8192/);
  policy.model.dispose();
});

test("a next turn that cannot be encoded fails its own episode, after its first turn", async () => {
  const policy = await nanoPolicy(device);
  const tasks = await chartTasks(1);
  const image = await strip();
  const wide: Environment<VisualContent> = {
    ...environment,
    async step(task, turn, earlier) {
      const result = await environment.step(task, turn, earlier);
      const blocks = result.next?.blocks.map((block) => (block.kind === "image" ? { ...block, image } : block));
      return result.next && blocks ? { ...result, next: { ...result.next, blocks } } : result;
    },
  };
  const run = (world: Environment<VisualContent>, more: Partial<RolloutOptions> = {}) =>
    rollout(policy, world, tasks, { ...options, onFailure: "drop", ...more }, place);
  const [whole = []] = (await run(environment)).groups;
  const { groups, failures } = await run(wide);
  const failed = new Set(failures.map(({ sample }) => sample));
  expect([...failed]).toEqual(whole.flatMap(({ sample, turns }) => (turns.length === 2 ? [sample] : [])));
  for (const trace of groups[0]!) {
    const before = whole[trace.sample]!;
    if (failed.has(trace.sample)) expect([trace.turns, trace.rewards]).toEqual([before.turns.slice(0, 1), {}]);
    else expect(trace).toEqual(before);
  }
  await expect(run(wide, { onFailure: "stop" })).rejects.toThrow(/sample \d, task \S+ failed: .*8192/);
  policy.model.dispose();
});

test("an environment that fails at a prompt fails that task only", async () => {
  const policy = await nanoPolicy(device);
  const tasks = await chartTasks(2);
  const picky: Environment<VisualContent> = {
    ...environment,
    prompt(task) {
      if (task === tasks[0]) throw new Error("no such tool");
      return environment.prompt(task);
    },
  };
  const { groups, failures } = await rollout(policy, picky, tasks, { ...options, onFailure: "drop" }, place);
  expect(groups.map(({ length }) => length)).toEqual([0, 4]);
  expect(failures.map(({ task, message }) => [task, message])).toEqual(Array(4).fill([tasks[0]!.id, "no such tool"]));
  policy.model.dispose();
});

test("a tool that hangs costs its timeout and its own episode only", async () => {
  const policy = await nanoPolicy(device);
  const hanging = faulty((call) => (call === 2 ? new Promise(() => {}) : undefined));
  const { groups, failures } = await rollout(
    policy,
    hanging,
    await chartTasks(1),
    { ...options, onFailure: "drop", timeoutMs: 500 },
    place,
  );
  expect(failures.map(({ message }) => message)).toEqual(["its step took more than 500 ms"]);
  expect(groups[0]!.filter(({ rewards }) => rewards.outcome !== undefined)).toHaveLength(3);
  policy.model.dispose();
});

test("a slow judge of one episode does not hold up the turns of the others", async () => {
  const policy = await nanoPolicy(device);
  const events: string[] = [];
  let release = (): void => {};
  const verdict = new Promise<void>((resolve) => {
    release = resolve;
  });
  let judged = 0;
  const judging: Environment<VisualContent> = {
    contentSchema: environment.contentSchema,
    prompt: (task) => environment.prompt(task),
    async step(task, turn, earlier) {
      const result = await environment.step(task, turn, earlier);
      if (!result.done) return result;
      const { rewards } = result.done;
      if (earlier.length > 0) {
        events.push("second turn");
        release();
        return result;
      }
      if (judged++ > 0) return result;
      const late = verdict.then(() => {
        events.push("verdict");
        return rewards;
      });
      return { ...result, done: { rewards: late } };
    },
  };
  const { groups } = await rollout(policy, judging, await chartTasks(1), options, place);
  expect(events[0]).toBe("second turn");
  expect(events).toContain("verdict");
  expect(groups.flat().every(({ rewards }) => rewards.outcome !== undefined)).toBe(true);
  policy.model.dispose();
});

test("traces verify against their tasks, and a corrupted one is named", async () => {
  const policy = await nanoPolicy(device);
  const tasks = await chartTasks(2);
  const { groups } = await rollout(policy, environment, tasks, options, place);
  const renderer = traceRenderer(policy, environment, ({ group }) => tasks[group]!);
  for (const trace of groups.flat()) expect(await verifyTrace(trace, renderer)).toEqual([]);
  const trace = groups.flat().find(({ turns }) => turns.length === 2)!;
  const [first, second] = trace.turns as [Turn, Turn];
  const positions = second.positions!.map((position, i) => (i === 5 ? position + 1 : position));
  const moved = { ...trace, turns: [first, { ...second, positions }] };
  expect((await verifyTrace(moved, renderer)).map(({ turn, field, index }) => [turn, field, index])).toEqual([
    [1, "positions", 1],
  ]);
  policy.model.dispose();
});

test("responses do not depend on what is generated beside them", async () => {
  const policy = await nanoPolicy(device);
  const tasks = await chartTasks(3);
  const together = await rollout(policy, environment, tasks, options, place);
  const apart = await rollout(policy, environment, tasks, { ...options, groupsAtOnce: 1 }, place);
  expect(apart.groups).toEqual(together.groups);
  policy.model.dispose();
});

test("a third turn, prompts of their own and temperatures of their own need nothing new", async () => {
  const policy = await nanoPolicy(device);
  const longer: Environment<VisualContent> = {
    contentSchema: environment.contentSchema,
    prompt: (task) => environment.prompt(task),
    async step(task, turn, earlier) {
      const blocks = environment.prompt(task);
      if (earlier.length === 0) return { next: { freshPrompt: false, blocks: blocks.slice(0, 1) } };
      if (earlier.length === 1) {
        const assistant = [{ id: "before", kind: "observation", text: `${turn.text.length}\n` } as const];
        return { next: { freshPrompt: true, blocks, assistant, temperature: 0.5 } };
      }
      return { done: { rewards: { outcome: turn.text.length } } };
    },
  };
  const tasks = await chartTasks(2);
  const { groups } = await rollout(policy, longer, tasks, { ...options, maxTurns: 3 }, place);
  const turns = groups.flat().map((trace) => trace.turns);
  expect(turns.map((list) => list.map(({ freshPrompt }) => freshPrompt))).toEqual(turns.map(() => [true, false, true]));
  expect(turns[0]!.map(({ temperature }) => temperature)).toEqual([1, 1, 0.5]);
  const packed = policy.pack(groups);
  const { logProb, entropy } = noGrad(() => packed.logProbs());
  expect([...(await logProb.values())]).toEqual(turns.flat().flatMap(({ logProbs }) => [...logProbs]));
  for (const item of [logProb, entropy, packed]) item.dispose();
  await expect(rollout(policy, longer, tasks, options, place)).rejects.toThrow(/more than 2 turns/);
  policy.model.dispose();
});
