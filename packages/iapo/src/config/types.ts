// What a configuration can say about attribution and its use as a penalty (names and defaults: docs/method.md F and I).
import type { Baseline, BatchBaseline } from "@iapo/attribution";
import type { BlockReduce, Divergence, Normalizer, QuadratureKind, TokenReduce } from "@iapo/attribution/math";
import type { Tolerance } from "@iapo/grpo/math";
import type { CallTarget } from "../scoring/span.ts";

/** How lambda goes on with t, the steps since the cold start ended (docs/method.md F11). `rate` g, floor f, of lambda l: */
export type LambdaSchedule =
  | { readonly kind: "constant" }
  | {
      /** `exp`: l e^(-g t); `linear`: l max(0, 1 - g t); `inverse`: l / (1 + g t); `cosine`: l (1 + cos(pi min(1, g t))) / 2. */
      readonly kind: "exp" | "linear" | "inverse" | "cosine";
      readonly rate: number;
      /** Lambda is never below. */
      readonly floor: number;
    };

/** D of a response without a tool call: a number, or one of these (docs/method.md F14). */
export type NoCallPenalty =
  /** ln of the number of blocks. */
  | "lnK"
  /** The largest D of the group's calls; ln K where there is none. */
  | "group_max"
  /** 0, which makes no call the cheapest one. */
  | "zero"
  /** D of all that the turn says. */
  | "turn1_attribution"
  | number;

/** What each method takes; a key that makes no sense for a method is an error. */
export type MethodSettings =
  | { readonly method: "grad_x_input"; readonly tokenReduce: TokenReduce; readonly blockReduce: BlockReduce }
  | {
      readonly method: "ig";
      readonly tokenReduce: TokenReduce;
      readonly blockReduce: BlockReduce;
      readonly baseline: Baseline;
      readonly quadrature: QuadratureKind;
      /** Points of the quadrature. */
      readonly steps: number;
    }
  | { readonly method: "grad_norm"; readonly blockReduce: BlockReduce }
  | { readonly method: "occlusion"; readonly baseline: Baseline | BatchBaseline };

/** How the prompt is cut into blocks: see `PartitionOptions` of `@iapo/attribution/math`. */
export type PartitionSettings =
  | { readonly partition: "per_tool" | "by_type" | "contiguous" }
  | {
      readonly partition: "tool_groups";
      /** Names of tools by group. */
      readonly toolGroups: Readonly<Record<string, readonly string[]>>;
    };

/** Which two explanations of a call are compared (docs/method.md F12). */
export type CompareSettings =
  | {
      /** The student's of its call, and the teacher's. */
      readonly compare: "student_with_teacher";
      /** The teacher explains the student's call, or one of its own, written once per prompt. */
      readonly teacherTarget: "student_call" | "teacher_call";
    }
  | {
      /** The teacher's of the student's call, and the teacher's of a call of its own, or of the one of the student's group that it finds likeliest. */
      readonly compare: "teacher_with_own_call" | "teacher_with_best_of_group";
    };

export interface PenaltySettings {
  /** From block scores to a distribution. */
  readonly normalize: Normalizer;
  /** Of `softmax` and `softmax_z`; else 1. */
  readonly temperature: number;
  /** Share of the uniform distribution that is mixed in; it bounds the divergence. */
  readonly smoothing: number;
  /** From the distributions of the call and of what it is compared with to D. */
  readonly divergence: Divergence;
  /** D of a call is at most this. */
  readonly maxPenalty: number;
  readonly noCallPenalty: NoCallPenalty;
}

/** What depends on none of the choices above. */
export type SharedSettings = PenaltySettings & {
  /** The tokens that are explained. */
  readonly target: CallTarget;
  /** At which the teacher writes its own call; 0 takes the likeliest token. */
  readonly teacherTemperature: number;
  /** Weight of the penalty when the cold start ends. */
  readonly lambda: number;
  readonly lambdaSchedule: LambdaSchedule;
  /** How rewards r and penalties D become advantages: see `iapoAdvantage`. */
  readonly normalization: "joint" | "decoupled" | "outcome_std" | "none";
  /** Which differences of D within a group count, for `decoupled`; for the others `none`. */
  readonly tolerance: Tolerance;
  /** Steps of plain GRPO before; nothing is attributed in them. */
  readonly coldStartSteps: number;
};

export type IapoSettings = MethodSettings & PartitionSettings & CompareSettings & SharedSettings;
