/** A tool of the user's own, as a prompt shows it, as a program calls it, and as rewards judge it: by the axis it says, not by its name. */
import { defineTool, focusTools, type Tool } from "@iapo/visual-tools";
import { expect, test } from "vitest";
import { createEnvironment } from "../src/index.ts";
import { createNanoCharts } from "../src/nano/index.ts";

function darken(name: string, axis: Tool["axis"]): Tool {
  return defineTool({
    name,
    signature: { names: "names", boxes: "boxes" },
    promptBlock: `${name} ( image_1, names, ${axis ?? "any"}_bbox ) darkens\n`,
    ...(axis && { axis }),
    run: (image) => ({ ...image, data: image.data.map((value) => value >> 1) }),
  });
}

const charts = await createNanoCharts({ seed: 1, names: "words" });
const { task } = await charts.chart("train", 0);
const { orientation: own = "columns" } = task.content;
const other = own === "columns" ? "rows" : "columns";
const name = task.content[own][0]?.name ?? "";
const call = (tool: string): string => `\`\`\`python\ndisplay(${tool}(image_1, ["${name}"], ${own}_bbox))\n\`\`\`\n`;

test.each(["compact", "full"] as const)("the %s prompt describes it among the six", (prompt) => {
  const tool = darken("spotlight", own);
  const environment = createEnvironment({
    options: { prompt },
    tools: (options) => [...focusTools(options), tool],
  });
  const defined = environment.prompt(task).filter(({ kind }) => kind === "tool");
  const without = createEnvironment({ options: { prompt } }).prompt(task);
  expect(defined.slice(0, 6)).toEqual(without.filter(({ kind }) => kind === "tool"));
  expect(defined.at(-1)).toEqual({ id: "tool:spotlight", kind: "tool", tool: "spotlight", text: tool.promptBlock });
});

test.each([
  ["spotlight", own, 0],
  ["spotlight", other, 1],
  ["spotlight", undefined, 0],
  [`focus_on_${other}_with_dark`, own, 0],
  [`focus_on_${own}_with_dark`, other, 1],
] as const)("%s for %s: misuse %i", async (called, axis, misuse) => {
  const environment = createEnvironment({ tools: () => [darken(called, axis)] });
  const { tool } = await environment.step(task, { text: call(called) });
  expect(tool).toMatchObject({ status: "ok", tools: [called], keys: [name], changed: true });
  const { done } = await environment.step(task, { text: "FINAL ANSWER: x" }, [{ text: call(called), tool }]);
  expect(await done?.rewards).toMatchObject({ tool_misuse: misuse, tool_success: 1 });
});
