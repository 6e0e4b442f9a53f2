// What a task of this package is, and what it must be beyond its shape: boxes that tools can draw, names that tell them apart, an answer.
import { type Image, type ImageRef, imageRefSchema, imageSchema, type Task } from "@iapo/rollout-trace";
import type { Boxes, NamedBox, Orientation, ToolAlias } from "@iapo/visual-tools";
import { boxesSchema, orientationSchema, toolAliasesSchema } from "@iapo/visual-tools/config";
import { z } from "zod";
import { VqaTasksError } from "./error.ts";

/** A question about a chart or table, with the boxes of its columns and rows. `I` is {@link Image} in memory and {@link ImageRef} in a trace. */
export type VisualContent<I extends ImageRef = Image> = {
  readonly image: I;
  readonly question: string;
  /** Every accepted answer; at least one. */
  readonly answers: readonly string[];
  /** Empty where the picture has no columns; a chart fills only its own axis. */
  readonly columns: Boxes;
  readonly rows: Boxes;
  readonly orientation?: Orientation | undefined;
  /** The tools of this task, in the order of their definitions, under names of its own; left out: those of the environment. */
  readonly aliases?: readonly ToolAlias[] | undefined;
};

export type VisualTask<I extends ImageRef = Image> = Task<VisualContent<I>>;

function contentSchemaOf<I extends ImageRef>(image: z.ZodType<I>): z.ZodType<VisualContent<I>> {
  return z.strictObject({
    image,
    question: z.string(),
    answers: z.array(z.string()).min(1),
    columns: boxesSchema,
    rows: boxesSchema,
    orientation: orientationSchema.optional(),
    aliases: toolAliasesSchema.optional(),
  });
}

export const visualContentSchema: z.ZodType<VisualContent> = contentSchemaOf(imageSchema);
const storedContentSchema: z.ZodType<VisualContent<ImageRef>> = contentSchemaOf(imageRefSchema);

/** The content of a task in memory as one of this package. @throws VqaTasksError `invalid_task` */
export function visualContent(task: Task): VisualContent {
  return parsed(visualContentSchema, task);
}

/** The content of a trace's task, whose image is a reference, as one of this package. @throws VqaTasksError `invalid_task` */
export function storedVisualContent(task: Task): VisualContent<ImageRef> {
  return parsed(storedContentSchema, task);
}

function parsed<T>(schema: z.ZodType<T>, { id, content }: Task): T {
  const { data, error } = schema.safeParse(content);
  if (data !== undefined) return data;
  throw new VqaTasksError("invalid_task", `task ${id} is no question about a picture: ${problemsOf(error).join("; ")}`);
}

function problemsOf(error: z.ZodError | undefined): string[] {
  return error?.issues.map(({ path, message }) => `${path.join(".")}: ${message}`) ?? [];
}

/** The task as given. @throws VqaTasksError `invalid_task` that lists everything that is wrong with it */
export function checkTask(task: VisualTask): VisualTask {
  const { content } = task;
  const { width, height } = content.image;
  const problems = [
    ...problemsOf(visualContentSchema.safeParse(content).error),
    ...(isBlank(task.id) ? ["the id is empty"] : []),
    ...(isBlank(content.question) ? ["the question is empty"] : []),
    ...longProblems(content),
    ...(content.answers.some(isBlank) ? ["an answer is empty"] : []),
    ...boxProblems("columns", content.columns, width, height),
    ...boxProblems("rows", content.rows, width, height),
    ...orientationProblems(content),
    ...aliasProblems(content),
  ];
  if (problems.length === 0) return task;
  throw new VqaTasksError("invalid_task", `task ${task.id}: ${problems.join("; ")}`);
}

/** Of characters that nobody sees: what a page or a table leaves where there was nothing. */
function isBlank(text: string): boolean {
  return /^[\s\p{Cc}\p{Default_Ignorable_Code_Point}]*$/u.test(text);
}

/** Whatever reads a task does so in a time that grows with these, some faster than in proportion. */
const LONGEST_QUESTION = 8192;
const LONGEST_NAME = 512;
const MOST_BOXES = 4096;
const MOST_ANSWERS = 256;

function longProblems({ question, answers, columns, rows }: VisualContent): string[] {
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
function orientationProblems({ orientation, columns, rows }: VisualContent): string[] {
  if (orientation === undefined)
    return columns.length > 0 === rows.length > 0 ? [] : ["boxes on one axis only, but no orientation"];
  const [own, other] = orientation === "columns" ? [columns, rows] : [rows, columns];
  if (own.length === 0) return [`orientation is "${orientation}", but there are no ${orientation} boxes`];
  return other.length === 0 ? [] : [`orientation is "${orientation}", but the other axis has boxes too`];
}

/** What programs call has one meaning. */
function aliasProblems({ aliases = [] }: VisualContent): string[] {
  const names = new Set(["image_1", "columns_bbox", "rows_bbox", "display"]);
  return aliases.flatMap(({ name }) => {
    const isTaken = names.has(name);
    names.add(name);
    return isTaken ? [`the name ${name} of a tool stands for something else already`] : [];
  });
}
