// A task as a row of a data file, in the forms that the loaders read.
import type { NamedBox } from "@iapo/visual-tools";
import { VqaTasksError } from "../error.ts";
import type { VisualTask } from "../task.ts";

export const writtenForms = ["tasks", "refocus"] as const;
export type WrittenForm = (typeof writtenForms)[number];

/** @param image path of its picture, from the folder of the file. @throws VqaTasksError `invalid_task` for what the form cannot hold */
export function rowOf(form: WrittenForm, task: VisualTask, image: string): object {
  const { id, source, split, content } = task;
  if (form === "tasks") return { id, ...content, image, source, split };
  if (content.aliases)
    throw new VqaTasksError(
      "invalid_task",
      `task ${id} has names of its own for tools, which only the form tasks can hold`,
    );
  if (content.orientation) return refocusChart(task, image);
  return content.columns.length > 0 ? refocusTable(task, image) : withoutBoxes(task, image);
}

/** The form has no place for boxes of the other axis, and its source says which one a chart has. */
function refocusChart({ id, source, split, content }: VisualTask, image: string): object {
  const { question, answers, columns, rows } = content;
  const kind = columns.length > 0 ? "v_bar" : "h_bar";
  return {
    id,
    question,
    answer: answers,
    image,
    source: source.endsWith(kind) ? source : `${source}_${kind}`,
    split,
    x_values: columns.map(({ name }) => name),
    x_values_bbox: columns.map(corners),
    y_values: rows.map(({ name }) => name),
    y_values_bbox: rows.map(corners),
  };
}

/** Boxes in fractions of the picture. */
function refocusTable({ id, content }: VisualTask, image: string): object {
  const { question, answers, columns, rows } = content;
  const { width, height } = content.image;
  const fraction = ({ x1, y1, x2, y2 }: NamedBox): object => ({
    x1: x1 / width,
    y1: y1 / height,
    x2: x2 / width,
    y2: y2 / height,
  });
  return {
    figure_id: id,
    figure_path: image,
    query: question,
    answer: answers,
    column_headers: columns.map(({ name }) => name),
    columns_bbox: columns.map(fraction),
    row_starters: rows.map(({ name }) => name),
    rows_bbox: rows.map(fraction),
  };
}

function withoutBoxes({ id, content }: VisualTask, image: string): object {
  const { question, answers } = content;
  return { image_id: id, image, qa: [{ question, answers }], boxes: null };
}

function corners({ x1, y1, x2, y2 }: NamedBox): object {
  return { x1, y1, x2, y2 };
}
