/** What a task must be beyond its shape: boxes that tools can draw, names that tell them apart, an answer to score against. */

import { imageRef, type NamedBox, type Task, taskSchema } from "@iapo/rollout-trace";
import { VqaTasksError } from "./error.ts";

/** The task as given. @throws VqaTasksError `invalid_task` that lists everything that is wrong with it */
export function checkTask(task: Task): Task {
  const { data, width, height, channels } = task.image;
  const shape = taskSchema.safeParse({ ...task, image: imageRef(task.image) });
  const problems = [
    ...(shape.error?.issues.map((issue) => `${issue.path.join(".")}: ${issue.message}`) ?? []),
    ...(task.question.trim() === "" ? ["the question is empty"] : []),
    ...longProblems(task),
    ...(task.answers.some((answer) => answer.trim() === "") ? ["an answer is empty"] : []),
    ...(data.length === width * height * channels
      ? []
      : [`the image holds ${data.length} bytes, not ${width} x ${height} x ${channels}`]),
    ...boxProblems("columns", task.columns, width, height),
    ...boxProblems("rows", task.rows, width, height),
    ...orientationProblems(task),
  ];
  if (problems.length === 0) return task;
  throw new VqaTasksError("invalid_task", `task ${task.id}: ${problems.join("; ")}`);
}

/** Whatever reads a task does so in a time that grows with these, some faster than in proportion. */
const LONGEST_QUESTION = 8192;
const LONGEST_NAME = 512;
const MOST_BOXES = 4096;
const MOST_ANSWERS = 256;

function longProblems({ question, answers, columns, rows }: Task): string[] {
  const longest = Math.max(0, ...[...columns, ...rows].slice(0, 2 * MOST_BOXES).map(({ name }) => name.length));
  const longestAnswer = Math.max(0, ...answers.slice(0, MOST_ANSWERS).map((answer) => answer.length));
  const limits: readonly (readonly [what: string, length: number, limit: number])[] = [
    ["characters in the question", question.length, LONGEST_QUESTION],
    ["characters in an answer", longestAnswer, LONGEST_QUESTION],
    ["characters in a name", longest, LONGEST_NAME],
    ["boxes on one axis", Math.max(columns.length, rows.length), MOST_BOXES],
    ["answers", answers.length, MOST_ANSWERS],
  ];
  return limits.flatMap(([what, length, limit]) => (length > limit ? [`${length} ${what}, more than ${limit}`] : []));
}

function boxProblems(axis: string, boxes: readonly NamedBox[], width: number, height: number): string[] {
  const names = new Set<string>();
  return boxes.flatMap(({ name, x1, y1, x2, y2 }) => {
    const box = `${axis} box ${JSON.stringify(name)}`;
    const problems: string[] = [];
    if (name === "") problems.push(`${axis}: a box has no name`);
    if (names.has(name)) problems.push(`${box} occurs twice`);
    names.add(name);
    if (!(x1 < x2 && y1 < y2)) problems.push(`${box} has no area: ${x1},${y1} to ${x2},${y2}`);
    else if (x2 < 0 || y2 < 0 || x1 >= width || y1 >= height) {
      problems.push(`${box} lies outside of the ${width} x ${height} image: ${x1},${y1} to ${x2},${y2}`);
    }
    return problems;
  });
}

/** A chart has boxes on its own axis only; a task that states no orientation is a table, or has no boxes at all. */
function orientationProblems({ orientation, columns, rows }: Task): string[] {
  if (orientation === undefined)
    return columns.length > 0 === rows.length > 0 ? [] : ["boxes on one axis only, but no orientation"];
  const [own, other] = orientation === "columns" ? [columns, rows] : [rows, columns];
  if (own.length === 0) return [`orientation is "${orientation}", but there are no ${orientation} boxes`];
  return other.length === 0 ? [] : [`orientation is "${orientation}", but the other axis has boxes too`];
}
