// Which tools of a prompt are for columns, which for rows.
import type { PromptBlock } from "@iapo/rollout-trace";
import type { Orientation } from "@iapo/visual-tools";

/** The tools that a prompt defines, by the axis that they are for. */
export function toolsByAxis(prompt: readonly PromptBlock[]): Record<Orientation, string[]> {
  const names = prompt.flatMap((block) => (block.kind === "tool" && block.tool !== undefined ? [block.tool] : []));
  const of = (pattern: RegExp): string[] => names.filter((name) => pattern.test(name));
  return { columns: of(/^focus_on_(?:columns|x_values)_/), rows: of(/^focus_on_(?:rows|y_values)_/) };
}
