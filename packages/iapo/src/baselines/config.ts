// Strict schemas of the baselines. Plain GRPO, which is VTool-R1 with its outcome reward of 0 or 1, needs nothing set (docs/method.md G).
import { z } from "zod";

export interface TorlOptions {
  readonly kind: "torl";
  /** The outcome reward r as it is, or 2 r - 1, as ToRL's own code has it. */
  readonly outcome: "01" | "pm1";
  /** Taken off where the program failed. */
  readonly penalty: number;
  /** Whether a response without a program is charged too, as ToRL's own code does. */
  readonly penalizeNoCall: boolean;
}

const torlOptions = z.strictObject({
  kind: z.literal("torl").describe("ToRL: a failed program costs reward."),
  outcome: z.enum(["01", "pm1"]).default("01").describe("The outcome reward as it is, or from -1 to 1."),
  penalty: z.number().min(0).default(0.5).describe("Taken off where the program failed."),
  penalizeNoCall: z.boolean().default(false).describe("A response without a program is penalized too."),
});

/** `{ "kind": "torl" }` is ToRL as the IAPO paper compares with it. */
export const torlOptionsSchema: z.ZodType<TorlOptions, unknown> = torlOptions;

export interface TrmOptions {
  readonly kind: "trm";
  /**
   * `turn_level`: the verdict, normalized among the calls of a group, is added to the advantage of the first turn. `trajectory`: it is added
   * to the reward.
   */
  readonly mode: "turn_level" | "trajectory";
  /** Weight of the verdict; 0.01 in the TRM paper. */
  readonly alpha: number;
  /** Added to the standard deviation of verdicts. */
  readonly epsilon: number;
  /** `rule`: of the reward parts; `llm`: a model behind an endpoint, which the caller connects. */
  readonly verifier: "rule" | "llm";
}

const trmOptions = z.strictObject({
  kind: z.literal("trm").describe("TRM: a verifier judges each call."),
  mode: z
    .enum(["turn_level", "trajectory"])
    .default("turn_level")
    .describe("The verdict is added to the first turn's advantage, or to the reward."),
  alpha: z.number().min(0).default(0.1).describe("Weight of the verdict."),
  epsilon: z.number().min(0).default(1e-6).describe("Added to the standard deviation of verdicts."),
  verifier: z.enum(["rule", "llm"]).default("rule").describe("A rule over the reward's parts, or a language model."),
});

/** `{ "kind": "trm" }` is the turn-level form with the rule verifier. */
export const trmOptionsSchema: z.ZodType<TrmOptions, unknown> = trmOptions;

export type BaselineOptions = TorlOptions | TrmOptions;

/** A baseline that stands beside the outcome reward. */
export const baselineOptionsSchema: z.ZodType<BaselineOptions, unknown> = z.discriminatedUnion("kind", [
  torlOptions,
  trmOptions,
]);
