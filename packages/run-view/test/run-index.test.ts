// The index against the files it is of: what it holds, what it reads again, and what it survives.
import { readdir, readFile, rename, rm, stat, symlink, truncate, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { readStep } from "@iapo/rollout-trace/files";
import { expect, test, vi } from "vitest";
import { IndexFile } from "../src/index/index-file.ts";
import { RunIndex } from "../src/index/run-index.ts";
import { makeStep, sharedFolder } from "./support/make-run.ts";

const root = await sharedFolder();
const name = "view-index.jsonl";
const open = (directory: string): RunIndex => new RunIndex(join(directory, "steps"), new IndexFile(directory, name));

async function madeRun(folder: string, steps: number): Promise<string> {
  const directory = join(root, folder);
  for (let step = 0; step < steps; step++) await makeStep(directory, step);
  return directory;
}

test("it holds what the step files say", async () => {
  const directory = await madeRun("whole", 3);
  const index = open(directory);
  expect(await index.refresh()).toEqual({ changed: [0, 1, 2], gone: [] });
  const { traces, log } = await readStep(join(directory, "steps", "step-000001.jsonl"));
  const held = index.step(1);
  const rows = held!.groups.flatMap(({ group, task, samples }) => samples.map((one) => ({ group, task, ...one })));
  expect(rows).toHaveLength(traces.length);
  for (const [i, { group, sample, task, rewards }] of traces.entries()) {
    const { penalty, shapedReward, advantages } = log.samples[i]!;
    expect(rows[i]).toMatchObject({
      group,
      sample,
      task: task.id,
      outcome: rewards.outcome,
      penalty,
      shaped: shapedReward,
    });
    expect(rows[i]).toMatchObject({
      advantage: advantages[0],
      status: "tool_error",
      misuse: rewards.tool_misuse === 1,
      tokens: 2,
    });
    expect(rows[i]?.text).toContain("undefined_name rows is not defined");
  }
  expect(index.columns.steps(["reward/outcome"])).toEqual(
    [0, 1, 2].map((step) => ({ step, metrics: { "reward/outcome": step / 10 } })),
  );
  expect([...held!.images.keys()]).toEqual(["a".repeat(64)]);
  await index.close();
});

test("a second look reads no step that has not changed, in the same process and in a later one", async () => {
  const directory = await madeRun("kept", 4);
  const first = open(directory);
  await first.refresh();
  expect(await first.refresh()).toEqual({ changed: [], gone: [] });
  await first.close();
  // If a step were read again, it would be damaged now: its bytes are others, of the same number and time.
  const path = join(directory, "steps", "step-000002.jsonl");
  const { atime, mtime } = await stat(path);
  const text = await readFile(path, "utf8");
  await writeFile(path, text.replace("task-0", "task-X"));
  await utimes(path, atime, mtime);
  const second = open(directory);
  const { changed } = await second.refresh();
  expect(changed).toHaveLength(4);
  const isExact = second.step(2)?.damage === undefined;
  // Times may have been rounded by `utimes`: then the step was read again, and is known as damaged.
  if (isExact) expect(second.step(2)?.groups[0]?.task).toBe("task-0");
  expect(second.step(1)?.groups).toEqual(first.step(1)?.groups);
  await second.close();
});

test("a run that is resumed and goes back: steps vanish, come again with other numbers, and get their names", async () => {
  const directory = await madeRun("rewinds", 2);
  const partial = async (step: number, value: number): Promise<void> => {
    const path = await makeStep(directory, step, { metrics: { "reward/outcome": value } });
    await rename(path, `${path}.partial`);
  };
  await partial(2, 5);
  await partial(3, 6);
  const index = open(directory);
  await index.refresh();
  expect(index.steps.map(({ step, isPublished }) => [step, isPublished])).toEqual([
    [0, true],
    [1, true],
    [2, false],
    [3, false],
  ]);
  const steps = join(directory, "steps");
  await rm(join(steps, "step-000002.jsonl.partial"));
  await rm(join(steps, "step-000003.jsonl.partial"));
  expect(await index.refresh()).toEqual({ changed: [], gone: [2, 3] });
  expect(index.columns.steps(["reward/outcome"]).map(({ step }) => step)).toEqual([0, 1]);
  await partial(2, 7);
  expect(await index.refresh()).toEqual({ changed: [2], gone: [] });
  await rename(join(steps, "step-000002.jsonl.partial"), join(steps, "step-000002.jsonl"));
  expect(await index.refresh()).toEqual({ changed: [], gone: [] }); // a name is no change
  expect(index.step(2)?.isPublished).toBe(true);
  expect(index.columns.steps(["reward/outcome"]).at(-1)).toEqual({ step: 2, metrics: { "reward/outcome": 7 } });
  await index.close();
  const later = open(directory);
  await later.refresh();
  expect(later.columns.steps(["reward/outcome"]).at(-1)).toEqual({ step: 2, metrics: { "reward/outcome": 7 } });
  await later.close();
});

test("a step that is being written is not there yet; a published one that is cut shows what is whole, and says so", async () => {
  const directory = await madeRun("cut", 2);
  const published = join(directory, "steps", "step-000001.jsonl");
  const bytes = await readFile(published);
  const writing = join(directory, "steps", "step-000002.jsonl.partial");
  await writeFile(writing, bytes.subarray(0, bytes.length / 2));
  await truncate(published, Math.floor(bytes.length * 0.7));
  const index = open(directory);
  await index.refresh();
  expect(index.step(2)).toBeUndefined();
  expect(index.step(1)?.damage).toMatch(/step-000001\.jsonl, line \d+/);
  expect(index.step(1)?.groups.length).toBeGreaterThan(0);
  await writeFile(published, bytes); // a copy was put back
  expect((await index.refresh()).changed).toEqual([1]);
  expect(index.step(1)?.damage).toBeUndefined();
  await index.close();
});

test("an index that is damaged, of another version, or made up by others costs nothing but time", async () => {
  const directory = await madeRun("bad-index", 3);
  const first = open(directory);
  await first.refresh();
  await first.close();
  const file = join(directory, name);
  const whole = await readFile(file, "utf8");
  const lines = whole.split("\n");
  const evil = [
    whole.slice(0, -200),
    lines.with(2, "{").join("\n"),
    whole.replace('{"view-index":1}', '{"view-index":9}'),
    whole.replaceAll('"step":1', '"step":"<script>"'),
    whole.replaceAll('"samples":[{', '"samples":[{"__proto__":{"x":1},'),
    "",
    "\u0000".repeat(1000),
  ];
  for (const text of evil) {
    await writeFile(file, text);
    const index = open(directory);
    await index.refresh();
    expect(index.steps.map(({ step, groups }) => [step, groups.length])).toEqual([
      [0, 2],
      [1, 2],
      [2, 2],
    ]);
    await index.close();
  }
});

test("beside a run that cannot be written to, or where a link stands in its place, the index is in the cache", async () => {
  const directory = await madeRun("link", 1);
  const target = join(root, "target.txt");
  await writeFile(target, "mine\n");
  await symlink(target, join(directory, name));
  const cache = join(root, "cache");
  vi.stubEnv("XDG_CACHE_HOME", cache);
  try {
    const index = open(directory);
    await index.refresh();
    await index.close();
    expect(await readFile(target, "utf8")).toBe("mine\n");
    const [kept] = await readdir(join(cache, "iapo", "view"));
    expect(await readFile(join(cache, "iapo", "view", kept!), "utf8")).toContain('"task-0"');
    const again = open(directory);
    expect((await again.refresh()).changed).toEqual([0]);
    await again.close();
  } finally {
    vi.unstubAllEnvs();
  }
});

test("two viewers of one run leave an index that both can read", async () => {
  const directory = await madeRun("two", 1);
  const [one, other] = [open(directory), open(directory)];
  await Promise.all([one.refresh(), other.refresh()]);
  for (let step = 1; step < 5; step++) {
    await makeStep(directory, step);
    await Promise.all([one.refresh(), other.refresh()]);
  }
  await Promise.all([one.close(), other.close()]);
  const later = open(directory);
  await later.refresh();
  expect(later.steps.map(({ step }) => step)).toEqual([0, 1, 2, 3, 4]);
  await later.close();
});
