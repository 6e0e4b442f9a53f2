// The section `distillation`: on-policy distillation in its three forms.
import type { LossDistillation, TokenDistillation } from "@iapo/grpo";
import { toleranceSchema } from "@iapo/grpo/config";
import type { Tolerance } from "@iapo/grpo/math";
import { z } from "zod";
import { lambdaScheduleSchema } from "../config/lambda-schedule.ts";
import type { LambdaSchedule } from "../config/types.ts";
import type { CallTarget } from "../scoring/span.ts";

/**
 * `norm(r) - lambda norm(c)`, the norms of the group, with c = -log p_teacher of the student's call, at most `cap`. A response without a call
 * costs `noCall`, which is never below the cap: no call is never the cheapest.
 */
export interface SequenceDistillation {
  readonly kind: "sequence";
  /** The tokens that are scored. */
  readonly target: CallTarget;
  /** Nats. */
  readonly cap: number;
  readonly noCall: number;
  /** Which differences of c within a group count. */
  readonly tolerance: Tolerance;
  readonly lambda: number;
  readonly lambdaSchedule: LambdaSchedule;
}

export type Distillation = SequenceDistillation | TokenDistillation | LossDistillation;

/** What `topLogProbs` of tensor-core gives at most. */
const MOST_IDS = 64;

const mix = z
  .number()
  .gt(0)
  .max(1)
  .default(1)
  .describe("Weight of the teacher; 1 less it is that of rewards, which count for nothing at 1.");

/** `{ "kind": "sequence" }`, `{ "kind": "token", "mix": 0.5 }`, `{ "kind": "loss", "direction": "forward", "topK": 32 }` */
export const distillationSchema: z.ZodType<Distillation, unknown> = z
  .discriminatedUnion("kind", [
    z.strictObject({
      kind: z.literal("sequence").describe("The teacher's negative log-prob of the policy's own call is its penalty."),
      target: z
        .enum(["code", "turn1"])
        .default("code")
        .describe("What is scored: the program, or all of the first turn."),
      cap: z
        .number()
        .gt(0)
        .default(50)
        .describe("A call costs at most this, in nats; where most calls cost as much, nothing tells them apart."),
      noCall: z
        .number()
        .optional()
        .describe("What a response without a call costs, at least the cap; default the cap."),
      tolerance: toleranceSchema
        .default({ kind: "none" })
        .describe("Which differences of the penalty within a group count."),
      lambda: z.number().gt(0).default(0.5).describe("Weight of the penalty at the first step."),
      lambdaSchedule: lambdaScheduleSchema
        .default({ kind: "exp", rate: 0.01, floor: 0 })
        .describe("How lambda goes on."),
    }),
    z.strictObject({
      kind: z
        .literal("token")
        .describe("Each token's advantage is its log-prob under the teacher less that under the policy (k1)."),
      mix,
      cap: z.number().gt(0).default(10).describe("A token's difference counts as at most this, in nats."),
      tolerance: z.number().min(0).default(0).describe("A token's difference up to this counts as 0, in nats."),
    }),
    z.strictObject({
      kind: z
        .literal("loss")
        .describe("The KL divergence of whole distributions, on the policy's own tokens, is the loss."),
      mix,
      direction: z
        .enum(["forward", "reverse"])
        .default("reverse")
        .describe("KL(teacher ‖ policy), or KL(policy ‖ teacher)."),
      topK: z
        .int()
        .min(1)
        .max(MOST_IDS)
        .optional()
        .describe("So many of the teacher's likeliest ids, and all others as one; default the whole vocabulary."),
    }),
  ])
  .transform((given, context): Distillation => {
    if (given.kind !== "sequence") return given;
    const { cap, noCall = cap } = given;
    if (noCall < cap)
      context.addIssue({
        code: "custom",
        path: ["noCall"],
        message: `is ${noCall}, below the cap of ${cap}: no call would be the cheapest answer to a teacher that dislikes all calls`,
      });
    return { ...given, noCall };
  });
