// On-policy distillation as plain data: what of a teacher's distributions a student learns, on what the student itself has written.
import type { DivergenceDirection } from "@iapo/tensor-core";

/**
 * Each token's advantage is `(1 - mix) A - mix k1`, with k1 = log pi - log pi_teacher of that token at rollout: its expectation over the
 * student's tokens is the reverse KL, whose gradient it has.
 */
export interface TokenDistillation {
  readonly kind: "token";
  /** Above 0, at most 1; at 1 rewards count for nothing. */
  readonly mix: number;
  /** |k1| is at most this: one token that the teacher never writes does not outweigh all others. Nats. */
  readonly cap: number;
  /** |k1| up to this counts as 0, above it the rest counts. Nats. */
  readonly tolerance: number;
}

/** The loss is `(1 - mix) L + mix KL`, the KL of whole distributions by token, weighed as the loss weighs its tokens. */
export interface LossDistillation {
  readonly kind: "loss";
  readonly mix: number;
  /** `forward`: KL(teacher ‖ student). `reverse`: KL(student ‖ teacher). */
  readonly direction: DivergenceDirection;
  /** Of so many of the teacher's likeliest ids, and of all others together; default of the whole vocabulary. */
  readonly topK?: number | undefined;
}
