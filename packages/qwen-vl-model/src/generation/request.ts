// What is asked of a session, and what it gives.
import { bannedMask, type SampleOptions, type Seed, tokenBias } from "@iapo/tensor-core";
import type { QwenVLModel } from "../model/model.ts";
import type { FinishReason, StopRules } from "./stop.ts";

export interface Sampling {
  /** Logits are divided by it; 0 takes the likeliest token. */
  readonly temperature: number;
  /** Ids that are never sampled and are left out of the softmax. */
  readonly bannedIds?: readonly number[] | undefined;
  /** Sample among this many likeliest tokens only. Truncation changes what is sampled, not the log-probs that are returned. */
  readonly topK?: number | undefined;
  /** Sample among the likeliest tokens that together reach this probability. Truncation, as `topK`. */
  readonly topP?: number | undefined;
  /** Added to logits before sampling, by id. Truncation, as `topK`. */
  readonly bias?: ReadonlyMap<number, number> | undefined;
}

export interface GenerateRequest {
  /** Responses per prompt; the first call of a session decides. */
  readonly samples: number;
  readonly sampling: Sampling;
  /** One per response, prompt by prompt: the response is a function of it. */
  readonly seeds: readonly Seed[];
  readonly stop: StopRules;
  /** Stops at the next readback; `generate` then throws the signal's reason. */
  readonly signal?: AbortSignal | undefined;
  /** Called with what is new, response by response, as often as tokens are read back. */
  readonly onTokens?: ((response: number, tokens: readonly number[]) => void) | undefined;
  /** Called with each turn as soon as it ends, while others go on. */
  readonly onTurn?: ((response: number, turn: GeneratedTurn) => void) | undefined;
}

export interface GeneratedTurn {
  readonly tokens: Int32Array;
  /** Log-probability of each token under softmax(logits / temperature) over the ids that are not banned. */
  readonly logProbs: Float32Array;
  readonly reason: FinishReason;
  /** Position of the token that comes next. */
  readonly nextPosition: number;
}

/** The sampler's options, uploaded; one seed a row. */
export function sampleOptionsOf(
  { device, config }: QwenVLModel,
  { temperature, topK, topP, bannedIds, bias }: Sampling,
  seeds: readonly Seed[],
): Omit<SampleOptions, "position"> {
  const { vocabSize } = config.text;
  return {
    temperature,
    seeds: device.tensor(Uint32Array.from(seeds.flat()), [seeds.length, 2]),
    ...(topK === undefined ? {} : { topK }),
    ...(topP === undefined ? {} : { topP }),
    banned: bannedMask(device, vocabSize, bannedIds ?? []),
    ...(bias && bias.size > 0 ? { bias: tokenBias(device, vocabSize, bias) } : {}),
  };
}
