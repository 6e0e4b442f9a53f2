// The queue's jobs and their order, and the queue itself: what is done, what failed, what was stopped, what others need.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { baseDirectory } from "@iapo/nano-vl";
import { expect, test } from "vitest";
import { stringify } from "yaml";
import { ablationJobs } from "../../src/ablate/jobs.ts";
import { type Outcome, type QueueItem, runQueue } from "../../src/ablate/queue.ts";
import { QueueState } from "../../src/ablate/state.ts";
import { loadConfig } from "../../src/config/load.ts";
import { temporaryFolder } from "../support/iapo.ts";

/** Directories that look like models', one for each name. */
function modelsIn(directory: string): Record<string, string> {
  const names = ["nano-student", "nano-teacher", "nano-teacher-large"];
  for (const name of names) modelAt(join(directory, name));
  return Object.fromEntries(names.map((name) => [name, join(directory, name)]));
}

function modelAt(directory: string): void {
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, "config.json"), "{}");
}

test("every configuration with every seed is a configuration that iapo train takes, of equal steps", () => {
  const directory = temporaryFolder();
  const jobs = ablationJobs({ only: undefined, seeds: [4, 5], steps: 7, models: modelsIn(directory), directory });
  const [preparation, ...experiments] = jobs;
  expect(preparation).toMatchObject({ id: "nano-make-teacher-grpo-seed-4", isPreparation: true });
  expect(experiments).toHaveLength(2 * 16);
  expect(new Set(jobs.map(({ id }) => id)).size).toBe(jobs.length);
  expect(experiments.slice(0, 16).every(({ seed }) => seed === 4)).toBe(true);
  const decisive = new Set<string>();
  for (const { id, config, seed, needs, unavailable } of jobs) {
    expect(unavailable).toBeUndefined();
    const { directory: teacher } = (config as { teacher?: { directory: string } }).teacher ?? {};
    if (teacher !== undefined && !existsSync(teacher)) {
      expect(needs).toBe(preparation!.id);
      expect(teacher).toBe(join(directory, "models", `${needs}-after-7`));
      modelAt(teacher);
    }
    const file = join(directory, `${id}.yaml`);
    writeFileSync(file, stringify(config));
    const { config: loaded } = loadConfig(file);
    expect(loaded.grpo).toMatchObject({ seed, steps: 7 });
    const { model, teacher: compared, iapo, baseline } = loaded;
    decisive.add(JSON.stringify([seed, model, compared, iapo, baseline, loaded.grpo]));
  }
  expect(decisive.size).toBe(jobs.length);
});

test("a model that is not there makes a configuration unavailable and says how to give one", () => {
  const known = { "nano-student": baseDirectory, "nano-teacher-large": "nowhere" };
  const options = { seeds: [1], steps: undefined, directory: temporaryFolder() };
  const [larger] = ablationJobs({ ...options, only: ["teacher-larger"], models: known });
  expect(larger?.unavailable).toMatch(/no model nano-teacher-large; give one by --model nano-teacher-large=DIRECTORY/);
  const [grpo] = ablationJobs({ ...options, only: ["nano-grpo"], models: known });
  expect(grpo).toMatchObject({ unavailable: undefined, steps: 30 });
});

function item(
  id: string,
  outcomes: readonly Outcome["state"][],
  log: string[],
  more: Partial<QueueItem> = {},
): QueueItem {
  let turn = 0;
  return {
    ...{ id, key: id },
    async run() {
      log.push(id);
      const state = outcomes[turn++] ?? "done";
      return state === "failed" ? { state, reason: "it broke" } : { state };
    },
    ...more,
  };
}

test("a failure stops only what needs it; what is done is skipped, what failed comes last, what was stopped goes on", async () => {
  const file = join(temporaryFolder(), "queue.json");
  const log: string[] = [];
  const notes: string[] = [];
  const items = [
    item("teacher", ["failed", "done"], log),
    item("first", [], log),
    item("pupil", [], log, { needs: "teacher" }),
    item("absent", [], log, { unavailable: "no such model" }),
    item("long", ["stopped", "done"], log),
    item("last", [], log),
  ];
  const sit = async (): Promise<boolean> => {
    log.length = 0;
    return runQueue(items, await QueueState.open(file), new AbortController().signal, (text) => notes.push(text));
  };
  expect(await sit()).toBe(false);
  expect(log).toEqual(["teacher", "first", "long"]);
  const states = (): object =>
    Object.fromEntries(
      Object.entries(JSON.parse(readFileSync(file, "utf8")).jobs as Record<string, { state: string }>).map(
        ([id, { state }]) => [id, state],
      ),
    );
  const settled = { first: "done", absent: "unavailable" };
  expect(states()).toEqual({ ...settled, teacher: "failed", pupil: "unavailable", long: "begun" });
  expect(notes.join("\n")).toMatch(
    /teacher failed: it broke[\s\S]*pupil: unavailable: it needs teacher, which is not done/,
  );

  expect(await sit()).toBe(true);
  expect(log).toEqual(["long", "last", "teacher"]);
  expect(await sit()).toBe(true);
  expect(log).toEqual(["pupil"]);
  expect(states()).toEqual({ ...settled, teacher: "done", pupil: "done", long: "done", last: "done" });

  const others = items.map((one) => ({ ...one, key: `${one.key} with other settings` }));
  log.length = 0;
  await runQueue(others, await QueueState.open(file), new AbortController().signal, () => {});
  expect(log).toContain("first");
});

test("a signal before an item ends the queue there; a damaged state is refused", async () => {
  const file = join(temporaryFolder(), "queue.json");
  const log: string[] = [];
  expect(await runQueue([item("one", [], log)], await QueueState.open(file), AbortSignal.abort(), () => {})).toBe(
    false,
  );
  expect(log).toEqual([]);
  writeFileSync(file, '{"version":1,"jobs":{"one":{"state":"finished"}}}');
  await expect(QueueState.open(file)).rejects.toThrow(/not the state of a queue[\s\S]*delete it/);
});
