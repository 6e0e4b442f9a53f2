/** The tools an episode runs: those of visual-tools, and on a chart rows that are bars throughout. */

import { chartAxisTools, focusTools, type Tool, type ToolInterpreter, toolInterpreter } from "@iapo/visual-tools";
import type { VisualContent } from "../task.ts";
import type { EnvironmentOptions } from "./options.ts";

/** The interpreter for a task's picture. */
export function interpreters({
  tools: options,
  firstRowStays,
}: EnvironmentOptions): (content: VisualContent) => ToolInterpreter {
  const forTables = toolInterpreter(options);
  if (firstRowStays === "always") return () => forTables;
  const forCharts = toolInterpreter(options, [...rowsAreBars(options), ...chartAxisTools(options)]);
  return ({ orientation }) => (orientation === undefined ? forTables : forCharts);
}

/**
 * The published mask of rows never covers the first one, as a table's header is needed to read it. On a chart that row is a
 * bar: asking for it alone would mask nothing. So there each rows tool runs as its twin for the y axis, which knows no header.
 */
function rowsAreBars(options: EnvironmentOptions["tools"]): Tool[] {
  const twins = new Map(chartAxisTools(options).map((tool) => [tool.name, tool]));
  return focusTools(options).map((tool) => {
    const twin = twins.get(tool.name.replace("_rows_", "_y_values_"));
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
