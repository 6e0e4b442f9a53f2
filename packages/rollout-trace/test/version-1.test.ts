/** Step files of version 1, as the releases before this one wrote them, are read as if they were of version 2. */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { readStep, writeStep } from "../src/files/index.ts";

const file = join(import.meta.dirname, "fixtures/version-1/step-000000.jsonl");
let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "version-1-"));
});
afterAll(() => rm(directory, { recursive: true }));

test("what stood beside a task's id is its content", async () => {
  const [, group] = (await readFile(file, "utf8")).split("\n").map((line) => line && JSON.parse(line));
  const { id, source, split, ...content } = group.task;
  const { traces, log } = await readStep(file);
  expect(traces).toHaveLength(2);
  for (const { version, task } of traces) {
    expect(version).toBe(2);
    expect(task).toStrictEqual({ id, source, split, content });
  }
  expect(content).toMatchObject({ question: expect.stringContaining("?"), answers: [expect.any(String)] });
  expect(traces.map(({ rewards }) => rewards.outcome)).toEqual([0, 1]);
  expect(log.updates).toHaveLength(1);
});

test("written again, it is a file of version 2 that holds the same", async () => {
  const step = await readStep(file);
  const path = await writeStep(directory, step);
  expect(await readFile(path, "utf8")).toMatch(/^\{"kind":"step","version":2,/);
  expect(await readStep(path)).toEqual(step);
});
