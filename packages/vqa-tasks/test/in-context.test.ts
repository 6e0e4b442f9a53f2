/** Tools in context: names that hold for one chart alone, whose definitions say what they do; and that fixed tools are what they were. */
import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import { nanoChartOptionsSchema } from "../src/config.ts";
import { createEnvironment } from "../src/environment/environment.ts";
import { createNanoCharts } from "../src/nano/charts.ts";
import { copy, demonstrate, lookup, renamed } from "../src/nano/demonstrations.ts";
import { nanoSplits } from "../src/nano/tables.ts";
import { checkTask, type VisualTask } from "../src/task.ts";

const charts = await createNanoCharts({ seed: 3, names: "words", tools: "in_context" });
const environment = createEnvironment({ options: { prompt: "compact" } });
const many = process.env.IAPO_FULL === "1" ? 400 : 60;

/** What a name does, read from the prompt as a policy has to. */
function definitions(task: VisualTask): Map<string, string> {
  const lines = environment.prompt(task).flatMap((block) => (block.kind === "tool" ? [block.text] : []));
  return new Map(lines.map((line) => line.trim().split(": ") as [string, string]).map(([does, name]) => [name, does]));
}

const calleeOf = (program = ""): string => /display\((\w+)\(/.exec(program)?.[1] ?? "";

test("prompts and programs of fixed tools are what they were before tools had names in context, to the character", async () => {
  const fixed = await createNanoCharts({
    seed: 1,
    names: "words",
    quality: { wrongAxis: 0.3, noCall: 0.1, malformed: 0.1 },
  });
  const written: unknown[] = [];
  for (let index = 0; index < 40; index++) {
    const { task, turns } = await demonstrate(fixed, "train", index);
    written.push(task, turns, environment.prompt(task), createEnvironment().prompt(task), copy(fixed, "test", index));
    written.push(await renamed(fixed, "validation", index));
  }
  const text = JSON.stringify(written, (key, value: unknown) => (key === "data" ? undefined : value));
  expect(createHash("sha256").update(text).digest("hex")).toBe(
    "5f30d22d4f8824a61b7c00d03a771d53abe53ab152187e7732f4ac0a5ccb003e",
  );
  await expect(lookup(fixed, "train", 0)).rejects.toThrow(/set nanoCharts.tools to in_context/);
});

test("a chart is the one of fixed tools, and has six names of its split that it does not show, drawn anew", async () => {
  const fixed = await createNanoCharts({ seed: 3, names: "words" });
  const orders = new Set<string>();
  const meanings = new Map<string, Set<string>>();
  for (const split of nanoSplits)
    for (let index = 0; index < many; index++) {
      const { task } = checked(await charts.chart(split, index));
      const { aliases, ...content } = task.content;
      expect({ ...task, content }).toEqual((await fixed.chart(split, index)).task);
      const names = aliases!.map(({ name }) => name);
      expect(new Set(names).size).toBe(6);
      expect(charts.names[split]).toEqual(expect.arrayContaining(names));
      const shown = [...content.columns, ...content.rows].map(({ name }) => name);
      expect(names.filter((name) => shown.includes(name))).toEqual([]);
      orders.add(aliases!.map(({ tool }) => tool).join());
      for (const { name, tool } of aliases!) meanings.set(name, (meanings.get(name) ?? new Set()).add(tool));
      expect((await charts.chart(split, index)).task.content.aliases).toEqual(aliases);
    }
  expect(orders.size).toBeGreaterThan(many);
  const seen = [...meanings.values()].filter(({ size }) => size > 1);
  expect(seen.length).toBeGreaterThan(meanings.size / 2);
});

function checked<C extends { readonly task: VisualTask }>(chart: C): C {
  checkTask(chart.task);
  return chart;
}

test("definitions stand in the order of the names, by the tools' own ids; the full prompt says nothing of own names either", async () => {
  const { task } = await charts.chart("train", 5);
  const { aliases } = task.content;
  for (const prompt of ["compact", "full"] as const) {
    const blocks = createEnvironment({ options: { prompt } }).prompt(task);
    const tools = blocks.flatMap((block) => (block.kind === "tool" ? [block] : []));
    expect(tools.map(({ id, tool }) => [id, tool])).toEqual(aliases!.map(({ tool }) => [`tool:${tool}`, tool]));
    for (const [place, { text }] of tools.entries()) {
      expect(text).toContain(aliases![place]!.name);
      expect(text).not.toMatch(/focus_on_(rows|columns)_with/);
    }
  }
  expect([...definitions(task).values()].sort()).toEqual(
    ["columns", "rows"].flatMap((axis) => [`frames ${axis}`, `hides other ${axis}`, `tints ${axis}`]).sort(),
  );
});

test("the right tool is one whose definition fits the chart; a name of another chart, or a tool's own, is none", async () => {
  for (let index = 0; index < 20; index++) {
    const { task, question } = await charts.chart("validation", index);
    const axis = task.content.orientation!;
    const names = JSON.stringify(question.names);
    for (const [name, does] of definitions(task)) {
      const called = does.endsWith("columns") ? "columns" : "rows";
      const text = `\`\`\`python\ndisplay(${name}(image_1, ${names}, ${called}_bbox))\n\`\`\``;
      const { tool } = await environment.step(task, { text });
      expect(tool).toMatchObject({ status: "ok", changed: called === axis });
      expect(tool!.tools[0]).toMatch(`focus_on_${called}_with`);
      const last = await environment.step(task, { text: "FINAL ANSWER: -" }, [{ text, tool }]);
      expect(await last.done?.rewards).toMatchObject({ tool_misuse: called === axis ? 0 : 1, tool_names: 1 });
    }
    for (const name of ["Nonsense", `focus_on_${axis}_with_mask`, "focus_on_x_values_with_mask"]) {
      const text = `\`\`\`python\ndisplay(${name}(image_1, ${names}, ${axis}_bbox))\n\`\`\``;
      expect((await environment.step(task, { text })).tool).toMatchObject({
        status: "tool_error",
        tools: [],
        reason: { code: "undefined_name" },
      });
    }
  }
});

test("demonstrations call what the definitions say, right or wrong as asked; so do charts under other names", async () => {
  const spoilt = await createNanoCharts({ ...charts.options, quality: { wrongAxis: 0.4, noCall: 0, malformed: 0 } });
  let wrong = 0;
  for (let index = 0; index < many; index++) {
    const { task, turns, fault } = await demonstrate(spoilt, "train", index);
    const fits = definitions(task).get(calleeOf(turns[0]))?.endsWith(task.content.orientation!);
    expect(fits).toBe(fault === undefined);
    wrong += fits ? 0 : 1;
    const other = await renamed(charts, "train", index);
    const known = definitions(other.task);
    expect(known.get(calleeOf(other.text))).toMatch(new RegExp(`${other.task.content.orientation}$`));
    const shown = [...other.task.content.columns, ...other.task.content.rows].map(({ name }) => name);
    expect(shown.filter((name) => known.has(name))).toEqual([]);
  }
  expect(Math.abs(wrong / many - 0.4)).toBeLessThan(3 * Math.sqrt(0.24 / many));
});

test("lookups: all definitions in another order, or a program for the axis that is told; names of tools are of training alone", async () => {
  const kinds = { list: 0, columns: 0, rows: 0 };
  for (let index = 0; index < many; index++) {
    const { task, query, text } = await lookup(charts, "validation", index);
    const known = definitions(task);
    expect(charts.names.train).toEqual(expect.arrayContaining([...known.keys()]));
    if (query.startsWith("List")) {
      kinds.list++;
      expect(
        new Map(
          text
            .trim()
            .split("\n")
            .map((line) => line.split(": ").reverse() as [string, string]),
        ),
      ).toEqual(known);
      continue;
    }
    const [axis = "", list = ""] = query.split("\n");
    kinds[axis as "columns" | "rows"]++;
    expect(known.get(calleeOf(text))?.endsWith(axis)).toBe(true);
    expect(charts.names.validation).toEqual(expect.arrayContaining(JSON.parse(list) as string[]));
  }
  expect(Math.min(...Object.values(kinds))).toBeGreaterThan(many / 10);
});

test("options and tasks that make no sense are refused", async () => {
  await expect(createNanoCharts({ tools: "in_context", names: ["Ab", "Cd", "Ef", "Gh"] })).rejects.toThrow(
    /names of the/,
  );
  const spaced = Array.from({ length: 80 }, (_, i) => `a ${i}`);
  await expect(createNanoCharts({ tools: "in_context", names: spaced })).rejects.toThrow(
    /0 are identifiers, of which 12/,
  );
  expect(nanoChartOptionsSchema.safeParse({ tools: "own" }).success).toBe(false);
  const { task } = await charts.chart("train", 0);
  const under = (aliases: VisualTask["content"]["aliases"]): VisualTask => ({
    ...task,
    content: { ...task.content, aliases },
  });
  const mask = "focus_on_rows_with_mask";
  expect(() => checkTask(under([{ tool: mask, name: "display" }]))).toThrow(
    /display of a tool stands for something else/,
  );
  expect(() =>
    checkTask(
      under([
        { tool: mask, name: "A" },
        { tool: "focus_on_rows_with_draw", name: "A" },
      ]),
    ),
  ).toThrow(/name A/);
  expect(() => checkTask(under([{ tool: mask, name: "a b" }]))).toThrow(/aliases.0.name/);
  expect(() => environment.prompt(under([{ tool: "nothing", name: "A" }]))).toThrow(/defines no nothing/);
  const text = "```python\ndisplay(A(image_1, [], rows_bbox))\n```";
  await expect(environment.step(under([{ tool: "nothing", name: "A" }]), { text })).rejects.toThrow(/no tool nothing/);
});
