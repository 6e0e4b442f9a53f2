/** This product's own form: a task as JSON, its image a path. What `iapo data convert` writes. */

import { boxesSchema, orientationSchema } from "@iapo/rollout-trace";
import { z } from "zod";
import type { RowParser } from "../record.ts";

const taskRowSchema = z.strictObject({
  id: z.string().min(1),
  image: z.string().min(1),
  question: z.string(),
  answers: z.array(z.string()).min(1),
  columns: boxesSchema.default([]),
  rows: boxesSchema.default([]),
  orientation: orientationSchema.optional(),
  source: z.string().default("tasks"),
  split: z.string().default(""),
});

export const parseTaskRow: RowParser = (value) => {
  const { image, ...task } = taskRowSchema.parse(value);
  const advice = "images lie beside the file of tasks; give that folder as `images`";
  return [{ ...task, picture: { kind: "file", path: image, advice }, frame: "pixel" }];
};
