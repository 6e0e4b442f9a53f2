// ReFocus annotations, as JSON, JSON Lines or parquet: chart rows (boxes in pixels), table rows (`column_headers`, boxes in
// fractions of the image, as that file states them), and annotated images with several questions (`qa`, `boxes`).
import { z } from "zod";
import { answersSchema, type RowParser, readBoxes, readPicture, textSchema } from "../record.ts";
import { axesSchema, CHARTQA_ADVICE, readAxes } from "./charts.ts";

const question = { question: textSchema.nullish(), query: textSchema.nullish() };

const chartSchema = axesSchema.extend({
  ...question,
  id: textSchema,
  answer: answersSchema,
  source: textSchema,
  split: textSchema.nullish(),
  image: z.unknown().optional(),
  images: z.unknown().optional(),
  figure_path: z.unknown().optional(),
});

const tableSchema = z.object({
  ...question,
  figure_id: textSchema,
  answer: answersSchema,
  figure_path: z.unknown().optional(),
  column_headers: z.array(textSchema),
  row_starters: z.array(textSchema),
  columns_bbox: z.unknown().optional(),
  rows_bbox: z.unknown().optional(),
});

const annotationSchema = z.object({
  image_id: textSchema,
  image: textSchema,
  qa: z.array(z.object({ question: textSchema, answers: z.array(textSchema).min(1) })),
  boxes: axesSchema.extend({ type: textSchema }).nullable(),
});

const TABLE_ADVICE = "this data set carries no images; get TableVQA-Bench's and give their folder as `images`";

export const parseRefocusRow: RowParser = (value, place) => {
  const kind = z.object({ column_headers: z.unknown().optional(), qa: z.unknown().optional() }).parse(value);
  if (kind.column_headers !== undefined) {
    const row = tableSchema.parse(value);
    return [
      {
        id: row.figure_id,
        question: row.query ?? row.question ?? "",
        answers: row.answer,
        columns: readBoxes(row.column_headers, row.columns_bbox, "columns_bbox"),
        rows: readBoxes(row.row_starters, row.rows_bbox, "rows_bbox"),
        source: "tablevqa",
        split: "",
        picture: readPicture(row.figure_path, TABLE_ADVICE),
        frame: "fraction",
      },
    ];
  }
  if (kind.qa !== undefined) return annotatedImage(value);
  const row = chartSchema.parse(value);
  return [
    {
      // ReFocus numbers images, not questions.
      id: `${row.id}/${place.row}`,
      question: row.question ?? row.query ?? "",
      answers: row.answer,
      ...readAxes(row.source, row),
      source: row.source,
      split: row.split ?? "",
      picture: readPicture(row.images ?? row.image ?? row.figure_path, CHARTQA_ADVICE),
      frame: "pixel",
    },
  ];
};

const annotatedImage = (value: unknown): ReturnType<RowParser> => {
  const row = annotationSchema.parse(value);
  const axes = row.boxes === null ? { columns: [], rows: [] } : readAxes(row.boxes.type, row.boxes);
  return row.qa.map(({ question, answers }, index) => ({
    id: `${row.image_id}/${index + 1}`,
    question,
    answers,
    ...axes,
    source: row.boxes === null ? "chart" : `chart_${row.boxes.type}`,
    split: "",
    picture: readPicture(row.image, "annotated images lie beside their annotations; give that folder as `images`"),
    frame: "pixel",
  }));
};
