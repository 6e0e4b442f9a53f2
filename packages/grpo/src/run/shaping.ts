// From traces to advantages: what is taken off the outcome rewards, and how samples of a group are compared.
import {
  type Image,
  joinSampledTokens,
  type ReplayedSample,
  type ReplayFunctions,
  type Rewards,
  type Trace,
  type TurnAdvantage,
} from "@iapo/rollout-trace";
import { type AdvantageOptions, advantageDefinition } from "../advantages/registry.ts";
import { GrpoError } from "../error.ts";
import { at } from "../math/batch.ts";
import { type KlOptions, type OverlongOptions, overlongPenalty, penalizeKl } from "../math/index.ts";
import type { Scorers } from "../scorers/types.ts";
import { faultOf, sourceOf } from "./module.ts";

/** What is taken off the outcome reward of a trace, and what it was computed from, for the record. */
export interface Penalty {
  readonly penalty: number;
  readonly evidence?: Readonly<Record<string, readonly number[]>> | undefined;
}

/** Rewards of a trace besides those of the environment; `outcome`, which a number alone stands for, takes its place. */
export type RewardFunction<Content = unknown> = (
  trace: Trace<Image, Content>,
) => number | Rewards | Promise<number | Rewards>;

/** Penalties of a step's traces, group by group. A run gives its scorers. */
export type PenaltyFunction<Content = unknown> = (
  groups: readonly (readonly Trace<Image, Content>[])[],
  step: number,
  scorers?: Scorers,
) => Promise<readonly (readonly Penalty[])[]>;

/** The user's own: it is always given scorers, and a number alone is a penalty without evidence. */
export type OwnPenaltyFunction<Content = unknown> = (
  groups: readonly (readonly Trace<Image, Content>[])[],
  step: number,
  scorers: Scorers,
) => OwnPenalties | Promise<OwnPenalties>;

type OwnPenalties = readonly (readonly (number | Penalty)[])[];

/**
 * [samples][turns] advantages from all samples of a step: of a turn, one for all of its sampled tokens, or one for each. A sample whose
 * shaped reward is NaN was dropped.
 */
export type AdvantageFunction = ReplayFunctions["advantage"];

/** An {@link AdvantageFunction} that gives one number for each turn, as all that are published here do. */
export type TurnAdvantageFunction = (...given: Parameters<AdvantageFunction>) => readonly (readonly number[])[];

/** A sample on its way to the update. */
export interface ShapedSample extends Omit<ReplayedSample, "trace"> {
  readonly trace: Trace;
  /** Of its sampled tokens, where KL asks. */
  readonly referenceLogProbs: Float32Array | undefined;
}

export interface ShapingOptions {
  readonly overlong?: OverlongOptions | undefined;
  /** KL taken off the reward. */
  readonly kl?: KlOptions | undefined;
}

/** Published advantages: one number for all turns of a sample. */
export function advantageFunction({ kind, ...settings }: AdvantageOptions): TurnAdvantageFunction {
  const { advantages } = advantageDefinition(kind);
  return (samples) => {
    const rewards = samples.map(({ shapedReward }) => shapedReward);
    const groups = samples.map(({ trace }) => trace.group);
    const perSample = advantages(rewards, groups, settings);
    return samples.map(({ trace: { turns } }, i) => new Array<number>(turns.length).fill(at(perSample, i)));
  };
}

/**
 * [samples][turns]
 * @throws GrpoError `shape` unless the function gives, for each turn of each sample, a finite number or one for each of its sampled tokens;
 * `module` where one of the user's own throws
 */
export function advantagesBy(
  advantage: AdvantageFunction,
  samples: readonly ShapedSample[],
): readonly (readonly TurnAdvantage[])[] {
  const advantages = attempt(advantage, samples);
  const { length } = Array.isArray(advantages) ? advantages : [];
  if (length !== samples.length)
    throw new GrpoError("shape", `${sourceOf(advantage, "advantage")}: it gives no list of ${samples.length} samples`);
  samples.forEach(({ trace: { group, sample, turns } }, i) => {
    const own: unknown = advantages[i];
    const place = `${sourceOf(advantage, "advantage")}: group ${group}, sample ${sample}`;
    if (!Array.isArray(own) || own.length !== turns.length) {
      const got = Array.isArray(own) ? `[${own.join(", ")}]` : String(own);
      throw new GrpoError("shape", `${place} has ${turns.length} turns, but its advantages are ${got}`);
    }
    turns.forEach(({ logProbs }, turn) => {
      const fault = faultOfTurn(own[turn], logProbs.length);
      if (fault !== undefined) throw new GrpoError("shape", `${place}, turn ${turn} ${fault}`);
    });
  });
  return advantages;
}

/** What is wrong with a turn's advantage. */
function faultOfTurn(given: unknown, tokens: number): string | undefined {
  if (!Array.isArray(given))
    return Number.isFinite(given) ? undefined : `has the advantage ${String(given)}; give a finite number`;
  if (given.length !== tokens)
    return `has ${tokens} sampled tokens, but ${given.length} advantages; give one for each, or one number for all`;
  const wrong = given.findIndex((value) => !Number.isFinite(value));
  return wrong === -1 ? undefined : `has the advantage ${String(given[wrong])} at token ${wrong}; give finite numbers`;
}

function attempt(advantage: AdvantageFunction, samples: readonly ShapedSample[]): ReturnType<AdvantageFunction> {
  try {
    return advantage(samples);
  } catch (cause) {
    throw faultOf(advantage, "advantage", cause);
  }
}

/** The outcome reward less all penalties; NaN without an outcome. */
export function shapeSample(
  trace: Trace,
  given: Penalty | undefined,
  referenceLogProbs: Float32Array | undefined,
  { overlong, kl }: ShapingOptions,
): ShapedSample {
  const { offsets, logProbs } = joinSampledTokens([trace]);
  const evidence: Record<string, readonly number[]> = { ...given?.evidence };
  let penalty = given?.penalty ?? 0;
  if (overlong) penalty -= overlongPenalty(logProbs.length, overlong);
  if (kl?.where === "reward" && referenceLogProbs) {
    const mask = new Uint8Array(referenceLogProbs.length).fill(1);
    const batch = { offsets, mask, logProbs, oldLogProbs: logProbs };
    const taken = at(penalizeKl([0], batch, referenceLogProbs, kl), 0);
    evidence.kl_penalty = [0 - taken];
    penalty -= taken;
  }
  const outcome = trace.rewards.outcome ?? Number.NaN;
  const found = Object.keys(evidence).length > 0 ? evidence : undefined;
  return {
    trace,
    rewards: trace.rewards,
    penalty,
    shapedReward: outcome - penalty,
    evidence: found,
    referenceLogProbs,
  };
}
