/** Two-turn episodes over the real tools, under the default and both published presets; configuration; task checks. */

import { identifyImage, type PromptBlock } from "@iapo/rollout-trace";
import { beforeAll, expect, test } from "vitest";
import { environmentOptionsSchema, judgeOptionsSchema, nanoChartOptionsSchema } from "../src/config.ts";
import { createEnvironment } from "../src/environment/environment.ts";
import { environmentPresets } from "../src/environment/options.ts";
import { namesInQuestion } from "../src/environment/rewards.ts";
import { defaultNanoChartOptions } from "../src/nano/options.ts";
import type { JudgeVerdict } from "../src/scoring/judge.ts";
import { checkTask, type VisualContent, type VisualTask } from "../src/task.ts";

let chart: VisualTask;
let table: VisualTask;
beforeAll(async () => {
  const image = await identifyImage({ width: 60, height: 40, channels: 3, data: new Uint8Array(7200).fill(90) });
  const columns = ["A", "A B", "C"].map((name, index) => ({
    name,
    x1: 20 * index,
    y1: 0,
    x2: 20 * index + 19,
    y2: 39,
  }));
  chart = {
    id: "c",
    source: "s",
    split: "test",
    content: { image, question: "Is A B above C?", answers: ["yes"], columns, rows: [], orientation: "columns" },
  };
  const rows = ["A", "x"].map((name, index) => ({ name, x1: 0, y1: 20 * index, x2: 59, y2: 20 * index + 19 }));
  table = { ...withContent(chart, { rows, orientation: undefined }), id: "t" };
});

function withContent(task: VisualTask, content: Partial<VisualContent>): VisualTask {
  return { ...task, content: { ...task.content, ...content } };
}

const call = (axis: string, names = '["A B", "C"]'): string =>
  `\`\`\`python\ndisplay(focus_on_${axis}_with_mask(image_1, ${names}, ${axis}_bbox))\n\`\`\`\n`;
const kinds = (blocks: readonly PromptBlock[] | undefined): string[] => (blocks ?? []).map((block) => block.kind);

test("a call whose names have no box is told so in the second turn; not by the compact prompt, nor as published", async () => {
  const missed = { text: call("columns", '["Nobody"]') };
  const { tool, next } = await createEnvironment().step(chart, missed);
  expect(tool).toMatchObject({ status: "ok", keys: [], unknownKeys: ["Nobody"], changed: false });
  expect(next?.blocks).toMatchObject([{ kind: "observation", text: expect.stringContaining('is called "Nobody"') }]);
  const { done } = await createEnvironment().step(chart, { text: "FINAL ANSWER: yes" }, [{ ...missed, tool }]);
  expect(await done?.rewards).toMatchObject({ outcome: 1, tool_names: 0, tool_changed: 0 });
  for (const setup of [{ options: { prompt: "compact" } }, { preset: "vtool_v1" }] as const)
    expect(kinds((await createEnvironment(setup).step(chart, missed)).next?.blocks)).toContain("image");
});

test.each([
  ["no names", call("columns", "[]")],
  ["no tool", "```python\ndisplay(image_1)\n```\n"],
])("a program with %s, whose picture is as it was, is told so and not that it edited it", async (_, text) => {
  const { tool, next } = await createEnvironment().step(chart, { text });
  expect(tool).toMatchObject({ status: "ok", changed: false });
  expect(next?.blocks).toMatchObject([{ text: expect.stringContaining("is the picture as it was") }]);
  for (const setup of [{ options: { prompt: "compact" } }, { preset: "vtool_v1" }] as const)
    expect(kinds((await createEnvironment(setup).step(chart, { text })).next?.blocks)).toContain("image");
});

test("default: prompt, tool call, edited picture, answer", async () => {
  const environment = createEnvironment();
  const prompt = environment.prompt(chart);
  expect(new Set(prompt.map((block) => block.id)).size).toBe(prompt.length);
  expect(prompt.filter((block) => block.kind === "tool")).toHaveLength(6);
  expect(kinds(prompt).slice(-2)).toEqual(["image", "query"]);
  for (const block of prompt) if (block.kind !== "image") expect(block.text.endsWith("\n")).toBe(true);

  const first = await environment.step(chart, { text: call("columns") });
  expect(first.done).toBeUndefined();
  expect(first.tool).toMatchObject({ status: "ok", keys: ["A B", "C"], changed: true });
  expect(kinds(first.next?.blocks)).toEqual(["image", "observation"]);
  expect(first.next?.freshPrompt).toBe(false);
  const shown = first.next?.blocks[0];
  const image = shown?.kind === "image" ? shown.image : undefined;
  // "A" is hidden, "C" is not.
  expect(Array.from(image?.data.slice(3 * (60 * 20 + 10), 3 * (60 * 20 + 10) + 3) ?? [])).toEqual([255, 255, 255]);
  expect(Array.from(image?.data.slice(3 * (60 * 20 + 50), 3 * (60 * 20 + 50) + 3) ?? [])).toEqual([90, 90, 90]);

  const earlier = [{ text: call("columns"), tool: first.tool }];
  const second = await environment.step(chart, { text: "FINAL ANSWER: Yes." }, earlier);
  expect(Object.keys(second)).toEqual(["done"]);
  expect(await second.done?.rewards).toEqual({
    outcome: 1,
    tool_call: 1,
    tool_success: 1,
    tool_misuse: 0,
    tool_names: 1,
    tool_changed: 1,
  });
  await expect(environment.step(chart, { text: "" }, [...earlier, { text: "" }])).rejects.toMatchObject({
    code: "wrong_state",
  });
  await expect(environment.step(chart, { text: "" }, [{ text: "FINAL ANSWER: 1" }])).rejects.toMatchObject({
    code: "wrong_state",
  });
});

test("default: an answer without a tool ends the episode; a failed program gets a second turn that says why", async () => {
  const environment = createEnvironment();
  expect(await (await environment.step(chart, { text: "FINAL ANSWER: no" })).done?.rewards).toMatchObject({
    outcome: 0,
    tool_call: 0,
  });
  const failed = await environment.step(chart, { text: "```python\nimport os\n```" });
  const failedCall = await environment.step(chart, {
    text: "```python\ndisplay(focus_on_columns_with_mask(image_1\n```",
  });
  expect(failedCall.next?.freshPrompt).toBe(false);
  expect(kinds(failedCall.next?.blocks)).toEqual(["observation"]);
  expect(failedCall.tool?.image).toBeUndefined();
  const end = await environment.step(chart, { text: "FINAL ANSWER: yes" }, [{ text: "", tool: failedCall.tool }]);
  expect(await end.done?.rewards).toMatchObject({ outcome: 1, tool_call: 1, tool_success: 0, tool_changed: 0 });
  expect(failed.tool?.status).not.toBe("ok");
});

test("a chart's wrong axis has no boxes by default, and is misuse; a table has both axes", async () => {
  const environment = createEnvironment();
  const wrong = await environment.step(chart, { text: call("rows") });
  expect(wrong.tool).toMatchObject({ status: "ok", changed: false, unknownKeys: ["A B", "C"] });
  const end = await environment.step(chart, { text: "FINAL ANSWER: yes" }, [{ text: call("rows"), tool: wrong.tool }]);
  expect(await end.done?.rewards).toMatchObject({ tool_misuse: 1, tool_changed: 0, tool_names: 1 });
  const rows = await environment.step(table, { text: call("rows", '["A"]') });
  expect(rows.tool).toMatchObject({ status: "ok", keys: ["A"] });
});

test("the first bar of a chart can be masked and asked for by default; as published it cannot", async () => {
  const bars = withContent(table, { columns: [], rows: [...table.content.rows].reverse(), orientation: "rows" });
  const only = (name: string): string => call("rows", `["${name}"]`);
  for (const name of ["x", "A"]) {
    expect((await createEnvironment().step(bars, { text: only(name) })).tool).toMatchObject({ changed: true });
    const published = createEnvironment({ preset: "vtool_v1" });
    expect((await published.step(bars, { text: only(name) })).tool).toMatchObject({ status: "ok", changed: false });
  }
  expect((await createEnvironment().step(table, { text: only("x") })).tool).toMatchObject({ changed: false });
});

test("vtool_v1: the second prompt is built again, a failed program ends the episode, similarity scores", async () => {
  const environment = createEnvironment({ preset: "vtool_v1" });
  expect(kinds(environment.prompt(chart)).slice(0, 2)).toEqual(["image", "query"]);
  const text = `THOUGHT\n${call("columns")}OBSERVATION: made up`;
  const { next, tool } = await environment.step(chart, { text });
  expect(next?.freshPrompt).toBe(true);
  expect(next?.temperature).toBe(0.5);
  expect(kinds(next?.blocks).slice(0, 3)).toEqual(["image", "image", "query"]);
  expect(next?.blocks).toHaveLength(environment.prompt(chart).length + 1);
  const quoted = next?.assistant?.[0];
  expect(quoted?.kind !== "image" && quoted?.text.endsWith("```\n")).toBe(true);
  const end = await environment.step(chart, { text: "FINAL ANSWER: yes. TERMINATE" }, [{ text, tool }]);
  expect((await end.done?.rewards)?.outcome).toBe(1);
  const failed = await environment.step(chart, { text: "FINAL ANSWER: yes. ```python\n(\n```" });
  expect(failed.tool).toMatchObject({ status: "parse_error" });
  expect(await failed.done?.rewards).toMatchObject({ outcome: 1, tool_call: 1, tool_success: 0 });
});

test("vtool_v2: appends, feeds failures back, and is scored by a judge", async () => {
  expect(() => createEnvironment({ preset: "vtool_v2" })).toThrow(/needs a judge/);
  const asked: string[] = [];
  const environment = createEnvironment({
    preset: "vtool_v2",
    judge: async ({ answer }) => {
      asked.push(answer);
      return { key: "k", correct: answer === "yes", reply: "1" };
    },
  });
  const { tool, next } = await environment.step(chart, { text: call("columns") });
  expect(next?.freshPrompt).toBe(false);
  const end = await environment.step(chart, { text: "FINAL ANSWER: yes TERMINATE" }, [{ text: "", tool }]);
  expect((await end.done?.rewards)?.outcome).toBe(1);
  expect(asked).toEqual(["yes"]);
});

test("a step does not wait for its judge, and a judge that fails is no crash where nobody reads the rewards", async () => {
  let answer = (_correct: boolean): void => {};
  const judge = (): Promise<JudgeVerdict> =>
    new Promise((resolve, reject) => {
      answer = (correct) => (correct ? resolve({ key: "k", correct, reply: "1" }) : reject(new Error("unreachable")));
    });
  const environment = createEnvironment({ preset: "vtool_v2", judge });
  const written = { text: "FINAL ANSWER: yes TERMINATE" };
  const { done } = await environment.step(chart, written);
  answer(true);
  expect(await done?.rewards).toMatchObject({ outcome: 1 });
  const second = await environment.step(chart, written);
  answer(false);
  await new Promise((resolve) => setTimeout(resolve, 10));
  await expect(second.done?.rewards).rejects.toThrow("unreachable");
});

test("the compact prompt does not tell a chart's axis", () => {
  const environment = createEnvironment({ options: { prompt: "compact" } });
  const turned = withContent(chart, { columns: [], rows: chart.content.columns, orientation: "rows" });
  expect(environment.prompt(turned)).toEqual(environment.prompt(chart));
});

test("names in a question: whole words, the longest first", () => {
  expect(namesInQuestion(chart.content)).toEqual(["A B", "C"]);
  expect(namesInQuestion({ ...chart.content, question: "Is A above A B?" }).sort()).toEqual(["A", "A B"]);
  expect(namesInQuestion({ ...chart.content, question: "All Cs" })).toEqual([]);
});

test("checkTask lists everything that is wrong", () => {
  expect(checkTask(chart)).toBe(chart);
  const box = { name: "A", x1: 5, y1: 5, x2: 1, y2: 9 };
  const bad = withContent(chart, {
    question: " ",
    answers: [],
    columns: [box, box, { ...box, name: "", x1: 900, x2: 901 }],
  });
  expect(() => checkTask(bad)).toThrow(/answers: .*question is empty.*no area.*occurs twice.*no name.*outside/s);
  expect(() => checkTask(withContent(chart, { orientation: "rows" }))).toThrow(/no rows boxes/);
  expect(() => checkTask(withContent(chart, { orientation: undefined }))).toThrow(/one axis only/);
  expect(() => checkTask(withContent(chart, { image: { ...chart.content.image, data: new Uint8Array(3) } }))).toThrow(
    /holds 3 bytes/,
  );
});

test("configuration: presets with single options in their place; wrong keys are named", () => {
  expect(environmentOptionsSchema.parse({})).toEqual(environmentPresets.default);
  for (const preset of ["default", "vtool_v1", "vtool_v2"] as const) {
    expect(environmentOptionsSchema.parse({ preset })).toEqual(environmentPresets[preset]);
  }
  const mixed = environmentOptionsSchema.parse({
    preset: "vtool_v2",
    scoring: { scoring: "exact" },
    tools: { limits: { calls: 3 } },
  });
  expect(mixed.scoring).toEqual({ scoring: "exact", extraction: "vtool_v2" });
  expect(mixed.tools).toEqual({
    ...environmentPresets.vtool_v2.tools,
    limits: { ...environmentPresets.vtool_v2.tools.limits, calls: 3 },
  });
  const wrong = environmentOptionsSchema.safeParse({ tools: { geometri: "x" } });
  expect(wrong.error?.issues[0]).toMatchObject({ path: ["tools"], message: expect.stringContaining("geometri") });
  expect(environmentOptionsSchema.safeParse({ secondturn: "append" }).success).toBe(false);
  expect(nanoChartOptionsSchema.parse({})).toEqual(defaultNanoChartOptions);
  expect(nanoChartOptionsSchema.safeParse({ size: 64 }).success).toBe(false);
  expect(judgeOptionsSchema.safeParse({ endpoint: "file:///x", model: "m" }).success).toBe(false);
});
