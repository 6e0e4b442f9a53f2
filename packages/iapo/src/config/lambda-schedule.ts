// The section `lambdaSchedule`: how the weight of a penalty goes on.
import { z } from "zod";
import type { LambdaSchedule } from "./types.ts";

export const lambdaScheduleSchema: z.ZodType<LambdaSchedule, unknown> = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("constant").describe("Lambda stays.") }),
  z.strictObject({
    kind: z.enum(["exp", "linear", "inverse", "cosine"]).describe("The curve on which lambda falls."),
    rate: z.number().min(0).default(0.01).describe("Of the fall, per step."),
    floor: z.number().min(0).default(0).describe("Lambda is never below."),
  }),
]);
