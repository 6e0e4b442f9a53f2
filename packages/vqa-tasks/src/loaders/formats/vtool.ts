// The parquet files of both VTool-R1 codes (method.md B.1, B.8). v1 holds a text prompt and metadata as JSON text, or as an
// Arrow struct whose keys are the labels of the whole data set; v2 holds chat messages and `extra_info.tools_kwargs.metadata`.
import { z } from "zod";
import { answersSchema, type RowParser, readBoxes, readPicture, textSchema } from "../record.ts";
import { axesSchema, CHARTQA_ADVICE, readAxes } from "./charts.ts";

/** JSON text or an object, to an object. */
const metadataSchema = z
  .unknown()
  .transform(objectOf)
  .pipe(
    axesSchema.extend({
      type: textSchema.nullish(),
      source: textSchema.nullish(),
      columns_bbox: z.unknown().optional(),
      row_starters: z.unknown().optional(),
    }),
  );

function objectOf(value: unknown, context: z.RefinementCtx): unknown {
  if (typeof value !== "string" && !(value instanceof Uint8Array)) return value;
  try {
    return JSON.parse(textSchema.parse(value));
  } catch {
    context.addIssue({ code: "custom", message: "expected JSON" });
    return z.NEVER;
  }
}

const v1Schema = z.object({
  figure_id: textSchema,
  figure_path: textSchema.nullish(),
  query: textSchema,
  answer: answersSchema,
  images: z.unknown().optional(),
  metadata: metadataSchema,
});

export const parseVtoolV1Row: RowParser = (value, place) => {
  const row = v1Schema.parse(value);
  const kind = row.metadata.type ?? "";
  const boxes =
    kind === "table"
      ? {
          columns: readBoxes(undefined, row.metadata.columns_bbox, "metadata.columns_bbox"),
          rows: readBoxes(undefined, row.metadata.row_starters, "metadata.row_starters"),
        }
      : readAxes(kind, row.metadata);
  return [
    {
      id: `${row.figure_id}/${place.row}`,
      question: row.query,
      answers: row.answer,
      ...boxes,
      source: kind === "table" ? "tablevqa" : kind,
      split: "",
      picture: readPicture(row.images ?? row.figure_path, CHARTQA_ADVICE),
      frame: "pixel",
    },
  ];
};

const v2Schema = z.object({
  id: textSchema.nullish(),
  source: textSchema.nullish(),
  split: textSchema.nullish(),
  images: z.unknown().optional(),
  reward_model: z.object({ ground_truth: answersSchema }),
  extra_info: z.object({
    index: textSchema.nullish(),
    question: textSchema,
    split: textSchema.nullish(),
    tools_kwargs: z.object({ metadata: metadataSchema }),
  }),
});

export const parseVtoolV2Row: RowParser = (value, place) => {
  const row = v2Schema.parse(value);
  const { metadata } = row.extra_info.tools_kwargs;
  const source = metadata.source ?? row.source ?? "";
  return [
    {
      id: `${row.id ?? row.extra_info.index ?? "row"}/${place.row}`,
      question: row.extra_info.question,
      answers: row.reward_model.ground_truth,
      ...readAxes(source, metadata),
      source,
      split: row.split ?? row.extra_info.split ?? "",
      picture: readPicture(row.images, CHARTQA_ADVICE),
      frame: "pixel",
    },
  ];
};
