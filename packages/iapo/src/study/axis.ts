// Which tools are for columns, which for rows.
import type { Orientation, Tool } from "@iapo/visual-tools";

/** Names of tools by the axis that they say they are for. */
export function toolsByAxis(tools: readonly Pick<Tool, "name" | "axis">[]): Record<Orientation, string[]> {
  const of = (axis: Orientation): string[] => tools.flatMap((tool) => (tool.axis === axis ? [tool.name] : []));
  return { columns: of("columns"), rows: of("rows") };
}
