// The section `teacher`.
import { type ModelSource, modelSourceSchema } from "@iapo/qwen-vl-model/config";
import { z } from "zod";

export interface TeacherSettings extends ModelSource {
  /** While it trains: on the device from begin to end, or only while it scores. The numbers are the same. */
  readonly residence: "resident" | "turns";
  /** Recompute activations while it scores by gradients. The numbers are the same. */
  readonly recompute: boolean;
  /** Where its own calls are kept, for `teacherTarget: teacher_call`; runs can share it. Default within the run. */
  readonly cache?: string | undefined;
}

export const teacherSchema: z.ZodType<TeacherSettings, unknown> = modelSourceSchema({
  residence: z
    .enum(["resident", "turns"])
    .default("resident")
    .describe(
      "On the device all the time, or in turns: loaded from its files before each step's scoring, freed after.",
    ),
  recompute: z
    .boolean()
    .default(true)
    .describe(
      "Recompute activations in the backward pass of its scoring: far less memory, about a third more operations.",
    ),
  cache: z.string().min(1).optional().describe("Folder of the teacher's own calls, which runs can share."),
});
