// A program that calls a tool on a task's picture, for episodes that no model writes.
import type { Task } from "@iapo/rollout-trace";
import { visualContentSchema } from "@iapo/vqa-tasks/config";
import { toolProgram } from "@iapo/vqa-tasks/nano";

/** Undefined for a task of the user's own environment, whose programs are not known. */
export function programFor({ content }: Task): string | undefined {
  const visual = visualContentSchema.safeParse(content).data;
  if (!visual) return undefined;
  const { orientation, columns, rows, aliases } = visual;
  const axis = orientation ?? (columns.length > 0 ? "columns" : "rows");
  const [first] = axis === "columns" ? columns : rows;
  return first && toolProgram(axis, "mask", [first.name], { aliases });
}
