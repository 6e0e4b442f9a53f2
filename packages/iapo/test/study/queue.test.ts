// The queue of an ablation: what is done, what failed, what was stopped, what others need.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { type Outcome, type QueueItem, runQueue } from "../../src/study/ablation/queue.ts";
import { QueueState } from "../../src/study/ablation/state.ts";

function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "iapo-queue-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  return folder;
}

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
