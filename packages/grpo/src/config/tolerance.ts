// The section `tolerance` of a penalty that is normalized apart from the outcome.
import { z } from "zod";
import type { Tolerance } from "../math/tolerance.ts";

const positive = z.number().gt(0);

/** `{ "kind": "gap", "atLeast": 0.03 }` */
export const toleranceSchema: z.ZodType<Tolerance, unknown> = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("none").describe("Every difference of a group counts, however small.") }),
  z.strictObject({
    kind: z.literal("gate").describe("A penalty counts as 1 above a number, else as 0."),
    above: z.number().min(0).describe("What is tolerated."),
  }),
  z.strictObject({
    kind: z
      .literal("gap")
      .describe("In ascending order, the group's penalties behind the first wide gap count as 1, those before as 0."),
    atLeast: positive.describe("A gap that is wide."),
  }),
  z.strictObject({
    kind: z.literal("floor").describe("A group is normalized by no small deviation, and a penalty saturates."),
    deviation: positive.describe("A group's standard deviation counts as at least this."),
    most: positive.describe("A penalty counts as at most this."),
  }),
]);
