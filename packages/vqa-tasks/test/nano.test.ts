/** nano-charts: pure in (seed, split, index), splits without a common name, clear questions, demonstrations of the asked quality. */

import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { createEnvironment } from "../src/environment/environment.ts";
import { createNanoCharts, type NanoChart } from "../src/nano/charts.ts";
import { caption, copy, demonstrate, renamed } from "../src/nano/demonstrations.ts";
import { nanoSplits, readSourceTables } from "../src/nano/tables.ts";
import { checkTask } from "../src/task.ts";

const many = process.env.IAPO_FULL === "1" ? 1200 : 150;

async function some(split: (typeof nanoSplits)[number], count: number, options = {}): Promise<NanoChart[]> {
  const charts = await createNanoCharts(options);
  return Promise.all(Array.from({ length: count }, (_, index) => charts.chart(split, index)));
}

test("twenty charts, answered by hand from the picture, have the answers that the generator states", async () => {
  const hand = JSON.parse(readFileSync(new URL("fixtures/answered-by-hand.json", import.meta.url), "utf8")) as {
    seed: number;
    answers: string[];
  };
  const charts = await some("test", hand.answers.length, { seed: hand.seed });
  expect(charts.map((chart) => chart.question.answer)).toEqual(hand.answers);
});

test("a chart is a pure function of seed, split and index", async () => {
  const [first, again] = [await createNanoCharts({ seed: 5 }), await createNanoCharts({ seed: 5 })];
  await first.chart("train", 3);
  const chart = await first.chart("train", 9);
  expect(await again.chart("train", 9)).toEqual(chart);
  for (const other of [
    await again.chart("train", 10),
    await again.chart("test", 9),
    await (await createNanoCharts({ seed: 6 })).chart("train", 9),
  ]) {
    expect(other.task.content.image.id).not.toBe(chart.task.content.image.id);
  }
  expect((await first.chart("train", 2 ** 40)).task.id).toBe("nano-5-train-1099511627776");
});

test("splits share neither a name nor a table", async () => {
  for (const names of [undefined, readSourceTables().flatMap((table) => table.names.flat())]) {
    const charts = await createNanoCharts(names === undefined ? {} : { names });
    const seen = nanoSplits.flatMap((split) => charts.names[split].map((name) => name.toLowerCase()));
    const distinct = nanoSplits.flatMap((split) => [...new Set(charts.names[split].map((name) => name.toLowerCase()))]);
    expect(new Set(seen).size).toBe(distinct.length);
    for (const split of nanoSplits) expect(charts.names[split].length).toBeGreaterThan(40);
  }
  const tables = await Promise.all(
    nanoSplits.map(async (split) => new Set((await some(split, many)).map((chart) => chart.table))),
  );
  const all = tables.flatMap((set) => [...set]);
  expect(new Set(all).size).toBe(all.length);
});

test("a pool of names, as a list or as a predicate, is all that is drawn", async () => {
  const list = ["".padEnd(0), ..."abcdefghijklmnopqrstuvwxyz"]
    .filter(Boolean)
    .flatMap((a) => [`${a}on`, `${a}er`, `${a}ing`]);
  const fromList = await some("validation", 30, { names: [...list, 'quo"te', "a name that is far too long to fit"] });
  for (const { bars } of fromList) for (const { name } of bars) expect(list).toContain(name);
  const fromPredicate = await some("train", 30, { names: (name: string) => name.length < 6 });
  for (const { bars } of fromPredicate) for (const { name } of bars) expect(name.length).toBeLessThan(6);
  await expect(createNanoCharts({ names: ["one", "two"] })).rejects.toThrow(/names of the .* split: only 2 fit/);
});

test("charts are valid tasks with clear questions and balanced answers", async () => {
  const charts = await some("train", many, { seed: 1 });
  const answers = new Map<string, number>();
  for (const { task, question, bars } of charts) {
    checkTask(task);
    expect(bars.length).toBeGreaterThanOrEqual(3);
    expect(bars.length).toBeLessThanOrEqual(6);
    const boxes = task.content.orientation === "columns" ? task.content.columns : task.content.rows;
    expect(boxes.map((box) => box.name)).toEqual(bars.map((bar) => bar.name));
    const values = question.names.map((name) => bars.find((bar) => bar.name === name)?.value ?? Number.NaN);
    const [value = Number.NaN, other = Number.NaN] = values;
    const truth = {
      value: String(Math.round(value / 10) * 10),
      over: value > 50 ? "yes" : "no",
      above: value > other ? "yes" : "no",
    };
    expect(question.answer).toBe(truth[question.kind]);
    const margin = {
      value: Math.abs((value % 10) - 5) - 1,
      over: Math.abs(value - 50) - 4,
      above: Math.abs(value - other) - 7,
    };
    expect(margin[question.kind]).toBeGreaterThan(0);
    const key = `${question.kind} ${question.answer}`;
    answers.set(key, (answers.get(key) ?? 0) + 1);
  }
  for (const kind of ["over", "above"]) {
    const [yes = 0, no = 0] = ["yes", "no"].map((answer) => answers.get(`${kind} ${answer}`));
    expect(yes / (yes + no)).toBeGreaterThan(0.3);
    expect(yes / (yes + no)).toBeLessThan(0.7);
  }
});

test("values are shuffled against names: a name's value differs from chart to chart", async () => {
  const values = new Map<string, Set<number>>();
  for (const { bars } of await some("validation", many)) {
    for (const { name, value } of bars) values.set(name, (values.get(name) ?? new Set()).add(value));
  }
  const repeated = [...values.values()].filter((set) => set.size > 1);
  expect(repeated.length).toBeGreaterThan(values.size / 2);
});

test("clean demonstrations call the right tool with the right names and score 1", async () => {
  const charts = await createNanoCharts({ seed: 2 });
  const environment = createEnvironment({ options: { prompt: "compact" } });
  for (let index = 0; index < 40; index += 1) {
    const { task, turns, fault } = await demonstrate(charts, "train", index);
    expect(fault).toBeUndefined();
    const [program = "", answer = ""] = turns;
    const first = await environment.step(task, { text: program });
    const second = await environment.step(task, { text: answer }, [{ text: program, tool: first.tool }]);
    expect(await second.done?.rewards).toEqual({
      outcome: 1,
      tool_call: 1,
      tool_success: 1,
      tool_misuse: 0,
      tool_names: 1,
      tool_changed: 1,
    });
  }
});

test("demonstrations have faults in the asked shares, and each fault is what it says", async () => {
  const quality = { wrongAxis: 0.35, noCall: 0.1, malformed: 0.15 };
  const charts = await createNanoCharts({ seed: 3, quality });
  const environment = createEnvironment();
  const counts = { wrong_axis: 0, no_call: 0, malformed: 0, clean: 0 };
  for (let index = 0; index < many; index += 1) {
    const { task, turns, fault } = await demonstrate(charts, "train", index);
    counts[fault ?? "clean"] += 1;
    const { tool, done, next } = await environment.step(task, { text: turns[0] ?? "" });
    if (fault === "no_call") expect(await done?.rewards).toMatchObject({ outcome: 1, tool_call: 0 });
    else if (fault === "malformed") expect(["parse_error", "unsupported"]).toContain(tool?.status);
    else expect(tool).toMatchObject({ status: "ok", changed: fault === undefined });
    if (fault !== "no_call") expect(next).toBeDefined();
  }
  const tolerance = 3 * Math.sqrt(0.25 / many);
  expect(Math.abs(counts.wrong_axis / many - 0.35)).toBeLessThan(tolerance);
  expect(Math.abs(counts.no_call / many - 0.1)).toBeLessThan(tolerance);
  expect(Math.abs(counts.malformed / many - 0.15)).toBeLessThan(tolerance);
});

test("captions tell the values of the shown bars; copies need no picture", async () => {
  const charts = await createNanoCharts({ seed: 4 });
  for (let index = 0; index < 40; index += 1) {
    const { text, image } = await caption(charts, "train", index);
    const { task, bars } = await charts.chart("train", index);
    const [axis, ...values] = text.trim().split(" ");
    expect(axis).toBe(task.content.orientation);
    const all = bars.map((bar) => String(Math.round(bar.value / 10) * 10));
    expect(all).toEqual(expect.arrayContaining(values));
    expect(image.id === task.content.image.id).toBe(values.length === all.length);
    const exercise = copy(charts, "train", index);
    const names = JSON.parse(exercise.query.split("\n")[0] ?? "") as string[];
    const named = [...exercise.text.matchAll(/"([^"]+)"/g)].map((match) => match[1]);
    expect(names).toEqual(expect.arrayContaining(named));
    for (const name of named) expect(exercise.query.includes(name ?? "?")).toBe(true);
    expect(copy(charts, "train", index)).toEqual(exercise);
  }
});

test("charts under other names: the call has the question's names and the picture's axis, or the other one as often as asked", async () => {
  const charts = await createNanoCharts({ seed: 4, quality: { wrongAxis: 0.5, noCall: 0.2, malformed: 0.2 } });
  const axes = { columns: 0, rows: 0 };
  for (let index = 0; index < 60; index += 1) {
    const { task, text } = await renamed(charts, "validation", index);
    const shown = (await charts.chart("train", index)).task;
    expect(task.content.image).toEqual(shown.content.image);
    const names = [...task.content.columns, ...task.content.rows].map(({ name }) => name);
    expect(charts.names.validation).toEqual(expect.arrayContaining(names));
    expect(new Set(names).size).toBe(shown.content.columns.length + shown.content.rows.length);
    const [, axis, called] = /focus_on_(columns|rows)_with_\w+\(image_1, (\[.*\]), \1_bbox/.exec(text) ?? [];
    for (const name of JSON.parse(called ?? "") as string[]) {
      expect(names).toContain(name);
      expect(task.content.question).toContain(name);
    }
    axes[axis as "columns" | "rows"] += axis === shown.content.orientation ? 1 : 0;
    expect(await renamed(charts, "validation", index)).toEqual({ task, text });
  }
  const right = axes.columns + axes.rows;
  expect(Math.min(axes.columns, axes.rows)).toBeGreaterThan(0);
  expect(Math.abs(right / 60 - 0.5)).toBeLessThan(0.2);
});

test("options that contradict each other are refused", async () => {
  await expect(createNanoCharts({ size: 100 })).rejects.toThrow(/112 or more/);
  await expect(createNanoCharts({ bars: [2, 9] })).rejects.toThrow(/within 3 to 6/);
  await expect(createNanoCharts({ questions: [] })).rejects.toThrow(/at least one kind/);
  await expect(createNanoCharts({ quality: { wrongAxis: 0.8, noCall: 0.3, malformed: 0 } })).rejects.toThrow(
    /at most 1/,
  );
});
