// ChartQA: the repository's JSON (picture by its file's name), and the columns of its copies on the hub. It has no boxes.
import { z } from "zod";
import { answersSchema, type RowParser, readPicture, textSchema } from "../record.ts";
import { CHARTQA_ADVICE } from "./charts.ts";

const schema = z.object({
  imgname: textSchema.nullish(),
  image: z.unknown().optional(),
  query: textSchema,
  label: answersSchema,
});

export const parseChartqaRow: RowParser = (value, { row: number }) => {
  const { imgname, image, query, label } = schema.parse(value);
  return [
    {
      // ChartQA numbers pictures, not questions.
      id: `${imgname ?? "row"}/${number}`,
      question: query,
      answers: label,
      columns: [],
      rows: [],
      source: "chartqa",
      split: "",
      picture: readPicture(image ?? imgname, CHARTQA_ADVICE),
      frame: "pixel",
    },
  ];
};
