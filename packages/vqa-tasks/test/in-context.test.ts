/** Tools in context: names that hold for one chart alone, whose definitions say what they do; and that fixed tools are what they were. */
import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import { nanoChartOptionsSchema } from "../src/config.ts";
import { createEnvironment } from "../src/environment/environment.ts";
import { createNanoCharts } from "../src/nano/charts.ts";
import { copy, demonstrate, renamed } from "../src/nano/demonstrations.ts";
import { chain, lookup, lookupBlocks } from "../src/nano/recall.ts";
import { nanoSplits } from "../src/nano/tables.ts";
import { checkTask, type VisualTask } from "../src/task.ts";

const charts = await createNanoCharts({ seed: 3, names: "words", tools: "in_context" });
const environment = createEnvironment({ options: { prompt: "compact" } });
const many = process.env.IAPO_FULL === "1" ? 400 : 60;

/** Which tool a name is, read from the prompt as a policy has to. */
function definitions(task: VisualTask): Map<string, string> {
  const lines = environment.prompt(task).flatMap((block) => (block.kind === "tool" ? [block.text] : []));
  return new Map(lines.map((line) => line.trim().split(": ") as [string, string]).map(([tool, name]) => [name, tool]));
}

const axisOf = (tool = ""): string | undefined => /_(rows|columns)_/.exec(tool)?.[1];
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
  await expect(lookup(fixed, "train", 0, "drawn")).rejects.toThrow(/set nanoCharts.tools to in_context/);
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

test("definitions stand in the order of the names, by the tools' own ids; the full prompt says what they do in its own words", async () => {
  const { task } = await charts.chart("train", 5);
  const { aliases } = task.content;
  for (const prompt of ["compact", "full"] as const) {
    const blocks = createEnvironment({ options: { prompt } }).prompt(task);
    const tools = blocks.flatMap((block) => (block.kind === "tool" ? [block] : []));
    expect(tools.map(({ id, tool }) => [id, tool])).toEqual(aliases!.map(({ tool }) => [`tool:${tool}`, tool]));
    for (const [place, { text }] of tools.entries()) expect(text).toContain(aliases![place]!.name);
    if (prompt === "full") for (const { text } of tools) expect(text).not.toMatch(/focus_on_(rows|columns)_with/);
  }
  expect([...definitions(task)]).toEqual(aliases!.map(({ tool, name }) => [name, tool]));
});

test("the right tool is one whose definition fits the chart; a name of another chart, or a tool's own, is none", async () => {
  for (let index = 0; index < 20; index++) {
    const { task, question } = await charts.chart("validation", index);
    const axis = task.content.orientation!;
    const names = JSON.stringify(question.names);
    for (const [name, definition] of definitions(task)) {
      const called = axisOf(definition)!;
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
    const fits = axisOf(definitions(task).get(calleeOf(turns[0]))) === task.content.orientation;
    expect(fits).toBe(fault === undefined);
    wrong += fits ? 0 : 1;
    const other = await renamed(charts, "train", index);
    const known = definitions(other.task);
    expect(axisOf(known.get(calleeOf(other.text)))).toBe(other.task.content.orientation);
    const shown = [...other.task.content.columns, ...other.task.content.rows].map(({ name }) => name);
    expect(shown.filter((name) => known.has(name))).toEqual([]);
  }
  expect(Math.abs(wrong / many - 0.4)).toBeLessThan(3 * Math.sqrt(0.24 / many));
});

test("lookups: six definitions again under names of the split, in the usual order or drawn line by line", async () => {
  const firsts = new Map<string, number>();
  const orders = new Set<string>();
  for (let index = 0; index < many; index++) {
    const usual = await lookup(charts, "validation", index, "usual");
    const drawn = await lookup(charts, "validation", index, "drawn");
    const known = definitions(usual.task);
    expect(definitions(drawn.task)).toEqual(known);
    expect(charts.names.validation).toEqual(expect.arrayContaining([...known.keys()]));
    const listed = linesOf(usual.text);
    expect(new Map(listed)).toEqual(known);
    orders.add(listed.map(([, tool]) => tool).join());
    const lines = linesOf(drawn.text);
    expect(lines.length).toBe(12);
    for (const [name, tool] of lines) expect(known.get(name)).toBe(tool);
    firsts.set(lines[0]![1], (firsts.get(lines[0]![1]) ?? 0) + 1);
    expect(lookupBlocks(environment, drawn).map(({ kind }) => kind)).toEqual([...Array(6).fill("tool"), "query"]);
    expect(await lookup(charts, "validation", index, "drawn")).toEqual(drawn);
  }
  expect(orders.size).toBe(1);
  expect(firsts.size).toBe(6);
});

/** Names and definitions of an exercise's text. */
const linesOf = (text: string): [string, string][] =>
  text
    .trim()
    .split("\n")
    .map((line) => line.split(": ").reverse() as [string, string]);

test("chains: eight to twenty-four names of any split as one word, and again", () => {
  const lengths = new Set<number>();
  for (let index = 0; index < many; index++) {
    const { query, text } = chain(charts, index);
    expect(query).toBe(`${text}List the names.\n`);
    expect(text).toMatch(/^[A-Za-z0-9_]+\n$/);
    lengths.add(text.match(/[A-Z][a-z]+/g)?.length ?? 0);
    expect(chain(charts, index)).toEqual({ query, text });
  }
  expect(lengths.size).toBeGreaterThan(8);
});

test("a style: some effects only, the effect of the question, a variable between; the same charts and names, and right all the same", async () => {
  const plain = await createNanoCharts({ seed: 9 });
  const styled = (style: object) => createNanoCharts({ ...nanoChartOptionsSchema.parse({ seed: 9, style }) });
  const masks = await styled({ effects: ["mask"] });
  const byQuestion = await styled({ effects: "by_question" });
  const variables = await styled({ program: "variable" });
  const effect = { value: "highlight", over: "mask", above: "draw" };
  for (let index = 0; index < 30; index++) {
    const own = await demonstrate(plain, "train", index);
    const [first = ""] = own.turns;
    const { task, turns } = await demonstrate(variables, "train", index);
    expect(task).toEqual(own.task);
    expect(turns[0]).toBe(first.replace(/display\((.*)\)\n/, "image = $1\ndisplay(image)\n"));
    expect((await environment.step(task, { text: turns[0]! })).tool).toMatchObject({ status: "ok", changed: true });
    expect((await demonstrate(masks, "train", index)).turns[0]).toBe(first.replace(/_with_\w+/, "_with_mask"));
    expect((await renamed(masks, "test", index)).text).toContain("_with_mask(");
    const asked = await demonstrate(byQuestion, "train", index);
    expect(asked.turns[0]).toContain(`_with_${effect[asked.question.kind]}(`);
  }
  await expect(createNanoCharts({ style: { effects: [], program: "call" } })).rejects.toThrow(/at least one effect/);
  await expect(styled({ program: "defined" })).rejects.toThrow(/only where tools is in_context/);
});

test("programs that say the definition in a comment before they call run, and are right", async () => {
  const style = { effects: "by_question", program: "defined" } as const;
  const defined = await createNanoCharts({ ...charts.options, style });
  for (let index = 0; index < 30; index++) {
    const { task, turns } = await demonstrate(defined, "train", index);
    const [, tool = "", name = ""] = /^```python\n# (\w+): (\w+)\ndisplay\(/.exec(turns[0]!) ?? [];
    expect(definitions(task).get(name)).toBe(tool);
    expect(calleeOf(turns[0])).toBe(name);
    const outcome = (await environment.step(task, { text: turns[0]! })).tool;
    expect(outcome).toMatchObject({ status: "ok", changed: true, tools: [tool] });
  }
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
