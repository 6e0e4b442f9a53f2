// A baseline as the parts that GRPO's loop and its replay take.
import type { TurnAdvantageFunction } from "@iapo/grpo";
import type { ImageRef, Trace } from "@iapo/rollout-trace";
import { IapoError } from "../error.ts";
import type { BaselineOptions } from "./config.ts";
import { torlReward } from "./torl.ts";
import { ruleVerifier, trmReward, turnLevelAdvantages, type Verifier } from "./trm.ts";

type Rewards = Readonly<Record<string, number>>;

/** `reward` and `advantage` go into `grpoRecipe`; in a replay `reward` recomputes the parts of a trace, `advantage` is the same. */
export interface Baseline<I extends ImageRef> {
  readonly reward: (trace: Trace<I>) => Rewards | Promise<Rewards>;
  readonly advantage: TurnAdvantageFunction;
}

export interface BaselineParts<I extends ImageRef> {
  /** The run's advantage of outcome rewards. */
  readonly advantage: TurnAdvantageFunction;
  /** For TRM with `verifier: "llm"`: a model's verdict, or in a replay the recorded one. */
  readonly verify?: Verifier<I> | undefined;
}

/** @throws IapoError `argument` where the verifier is a model and none is given */
export function createBaseline<I extends ImageRef>(
  options: BaselineOptions,
  { advantage, verify }: BaselineParts<I>,
): Baseline<I> {
  if (options.kind === "torl") return { reward: torlReward(options), advantage };
  const verifier = options.verifier === "rule" ? ruleVerifier : verify;
  if (!verifier) throw new IapoError("argument", "TRM's verifier is a language model, but none is connected");
  return {
    reward: trmReward(options, verifier),
    advantage: options.mode === "turn_level" ? turnLevelAdvantages(advantage, options) : advantage,
  };
}
