// What is asked of a session, and what it gives.
import type { Sampling, TurnRequest } from "@iapo/rollout-trace";
import { bannedMask, type SampleOptions, tokenBias } from "@iapo/tensor-core";
import type { QwenVLModel } from "../model/model.ts";
import type { FinishReason, StopRules } from "./stop.ts";

/** How tokens are drawn, with what a policy leaves to its model. */
export interface TokenSampling extends Sampling {
  /** Ids that are never sampled and are left out of the softmax. */
  readonly bannedIds?: readonly number[] | undefined;
  /** Added to logits before sampling, by id. Truncation, as `topK`: it changes what is sampled, not the log-probs that are returned. */
  readonly bias?: ReadonlyMap<number, number> | undefined;
  /**
   * Logits of ids that the prompt or the response holds are divided by it where positive, else multiplied (Keskar et al. 2019), before all else.
   * Truncation, as `topK`; 1 or undefined: none.
   */
  readonly repetitionPenalty?: number | undefined;
}

/** A signal stops it at the next readback; `generate` then throws the signal's reason. */
export interface GenerateRequest extends Pick<TurnRequest, "samples" | "seeds" | "signal"> {
  readonly sampling: TokenSampling;
  readonly stop: StopRules;
  /** Of the weights, for messages. */
  readonly version?: number | undefined;
  /** Called with what is new, response by response, as often as tokens are read back; log-probs as in {@link GeneratedTurn}. */
  readonly onTokens?: ((response: number, tokens: readonly number[], logProbs: readonly number[]) => void) | undefined;
  /** Called with each turn as soon as it ends, while others go on. */
  readonly onTurn?: ((response: number, turn: GeneratedTurn) => void) | undefined;
}

export interface GeneratedTurn {
  readonly tokens: Int32Array<ArrayBuffer>;
  /** Log-probability of each token under softmax(logits / temperature) over the ids that are not banned. */
  readonly logProbs: Float32Array<ArrayBuffer>;
  readonly reason: FinishReason;
  /** Position of the token that comes next. */
  readonly nextPosition: number;
}

/** The sampler's options that hold for all rows and steps, uploaded. */
export function sampleOptionsOf(
  { device, config }: QwenVLModel,
  { temperature, topK, topP, bannedIds, bias }: TokenSampling,
): Omit<SampleOptions, "seeds" | "position"> {
  const { vocabSize } = config.text;
  return {
    temperature,
    ...(topK === undefined ? {} : { topK }),
    ...(topP === undefined ? {} : { topP }),
    banned: bannedMask(device, vocabSize, bannedIds ?? []),
    ...(bias && bias.size > 0 ? { bias: tokenBias(device, vocabSize, bias) } : {}),
  };
}
