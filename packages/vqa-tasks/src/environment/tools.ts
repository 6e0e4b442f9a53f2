// The tools an episode runs: those of visual-tools, and on a chart rows that are bars throughout.
import {
  chartAxisTools,
  focusTools,
  type ProgramInput,
  type Tool,
  type ToolInterpreter,
  type ToolOptions,
  toolInterpreter,
} from "@iapo/visual-tools";
import { uniformOfText } from "../random.ts";
import type { VisualContent, VisualTask } from "../task.ts";
import type { EnvironmentOptions } from "./options.ts";

/** What programs may call: own tools, or without any the six and their twins for chart axes. */
export function callableTools(options: ToolOptions, own: readonly Tool[] | undefined): readonly Tool[] {
  return own ?? [...focusTools(options), ...chartAxisTools(options)];
}

/** What a program of this task works on. Whether the wrong axis of a chart has boxes is drawn by its id, the same for every sample and step. */
export function programInput({ id, content }: VisualTask): ProgramInput {
  return { ...content, draw: uniformOfText(`orientation:${id}`) };
}

/** The interpreter for a task's picture. */
export function interpreters(
  { tools: options, firstRowStays }: Pick<EnvironmentOptions, "tools" | "firstRowStays">,
  tools: readonly Tool[],
): (content: VisualContent) => ToolInterpreter {
  const forTables = toolInterpreter(options, tools);
  if (firstRowStays === "always") return () => forTables;
  const forCharts = toolInterpreter(options, rowsAreBars(options, tools));
  return ({ orientation }) => (orientation === undefined ? forTables : forCharts);
}

/**
 * The published mask of rows never covers the first one, as a table's header is needed to read it. On a chart that row is a
 * bar: asking for it alone would mask nothing. So there each rows tool runs as its twin for the y axis, which knows no header.
 */
function rowsAreBars(options: ToolOptions, tools: readonly Tool[]): Tool[] {
  const twins = chartAxisTools(options);
  const published = focusTools(options);
  return tools.map((tool) => {
    // A tool of the user's own may have the name of a published one; it says something else of itself.
    const place = published.findIndex((one) => one.name === tool.name && one.promptBlock === tool.promptBlock);
    const twin = tool.axis === "rows" ? twins[place] : undefined;
    if (twin === undefined) return tool;
    const own = Object.keys(tool.signature);
    const parameters = Object.keys(twin.signature);
    return {
      ...tool,
      run: (image, args, budget) =>
        twin.run(image, Object.fromEntries(parameters.map((name, index) => [name, args[own[index] ?? ""]])), budget),
    };
  });
}
