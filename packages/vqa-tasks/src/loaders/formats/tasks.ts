// This product's own form: a task as JSON, its image a path. What `iapo data convert` writes.
import { boxesSchema, orientationSchema, toolAliasesSchema } from "@iapo/visual-tools/config";
import { z } from "zod";
import { type RowParser, readPicture, textSchema } from "../record.ts";

const ADVICE = "images lie beside the file of tasks; give that folder as `images`";

const taskRowSchema = z.strictObject({
  id: textSchema.refine((id) => id !== "", { error: "expected an id" }),
  image: z.string({ error: "expected a path or a data URL" }).min(1),
  question: z.string(),
  answers: z.array(textSchema).min(1),
  columns: boxesSchema.default([]),
  rows: boxesSchema.default([]),
  orientation: orientationSchema.optional(),
  aliases: toolAliasesSchema.optional(),
  source: z.string().default("tasks"),
  split: z.string().default(""),
});

export const parseTaskRow: RowParser = (value) => {
  const { image, ...task } = taskRowSchema.parse(value);
  return [{ ...task, picture: readPicture(image, ADVICE), frame: "pixel" }];
};
