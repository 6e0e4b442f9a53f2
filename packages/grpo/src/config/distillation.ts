// Strict schemas of on-policy distillation by token and by loss.
import { z } from "zod";
import type { LossDistillation, TokenDistillation } from "../distillation/settings.ts";

/** What `topLogProbs` of tensor-core gives at most. */
const MOST_IDS = 64;

const mix = z
  .number()
  .gt(0)
  .max(1)
  .default(1)
  .describe("Weight of the teacher; 1 less it is that of rewards, which count for nothing at 1.");

/** `{ "kind": "token", "mix": 0.5 }` */
export const tokenDistillationSchema: z.ZodType<TokenDistillation, unknown> = z.strictObject({
  kind: z
    .literal("token")
    .describe("Each token's advantage is its log-prob under the teacher less that under the policy (k1)."),
  mix,
  cap: z.number().gt(0).default(10).describe("A token's difference counts as at most this, in nats."),
  tolerance: z.number().min(0).default(0).describe("A token's difference up to this counts as 0, in nats."),
});

/** `{ "kind": "loss", "direction": "reverse", "topK": 32 }` */
export const lossDistillationSchema: z.ZodType<LossDistillation, unknown> = z.strictObject({
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
});
