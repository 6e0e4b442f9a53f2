// What is said of a run from the files that it left.
import { appendFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { readRunState } from "../src/runs/run-state.ts";
import { makeRecord, sharedFolder } from "./support/make-run.ts";

const root = await sharedFolder();
const last = { step: 1, isPublished: true };

test("a run that was interrupted says so, until it is begun again; without a word it has died", async () => {
  const directory = join(root, "run");
  const add = (line: string): Promise<void> => appendFile(join(directory, "starts.jsonl"), `${line}\n`);
  const state = async (at: typeof last | undefined = last) => {
    const { state, done, planned } = await readRunState(directory, at);
    return [state, done, planned];
  };
  await makeRecord(directory, {}, 4);
  expect(await state()).toEqual(["died", 2, 4]);
  await add('{"at":"2026-01-01T00:00:00Z","ended":"interrupted","step":2}');
  expect(await state()).toEqual(["interrupted", 2, 4]);
  expect(await state({ step: 3, isPublished: true })).toEqual(["ended", 4, 4]);
  await add('{"config":{"supervised":{"steps":6}}}');
  expect(await state()).toEqual(["died", 2, 6]);
  await add('{"ended":"interrupted"');
  expect(await state(), "a torn line says nothing").toEqual(["died", 2, 6]);
});

test("where the settings leave the number of steps to the default, an interrupt still shows", async () => {
  const directory = join(root, "default");
  await makeRecord(directory);
  expect((await readRunState(directory, last)).state).toBe("ended");
  await appendFile(join(directory, "starts.jsonl"), '{"config":{}}\n{"ended":"interrupted"}\n');
  expect((await readRunState(directory, last)).state).toBe("interrupted");
});
