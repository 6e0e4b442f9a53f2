// What a penalty function asks models with: log-probs of written tokens, as a trace has them or with something changed.
import type { Image, Policy, PromptBlock, RawImage, Scribe, Trace } from "@iapo/rollout-trace";
import type { LikeliestTeacher } from "../distillation/likeliest.ts";

/** A trace to be scored, as it was or with something in place of what it had. */
export interface ScoreRequest {
  readonly trace: Trace;
  /** In place of the first turn's prompt; the first turn alone is scored then. */
  readonly prompt?: readonly PromptBlock[] | undefined;
  /** In place of what was written in the first turn, which alone is scored then; its end token counts too. */
  readonly text?: string | undefined;
  /** From each picture to the one in its place, of the same size. */
  readonly picture?: ((image: Image) => RawImage) | undefined;
}

/** A model that is asked without a gradient. Equal questions have equal answers, whatever is asked beside them. */
export interface TokenScorer {
  /**
   * [requests] log-probs of all that was written, turn by turn: nats, each under the temperature and the banned ids of its turn.
   * @throws GrpoError `argument` for a picture of another size, or a change of the prompt where the model renders none
   */
  logProbs(requests: readonly ScoreRequest[]): Promise<readonly Float32Array[]>;
  /**
   * [traces] what the model writes itself to the first prompt of each, by the likeliest tokens.
   * @throws GrpoError `argument` where the model does not write
   */
  firstTurns(traces: readonly Trace[]): Promise<readonly string[]>;
}

export interface Scorers {
  /** The policy in training, as it was at rollout. */
  readonly policy: TokenScorer;
  /** Where the run has a teacher. */
  readonly teacher?: TokenScorer | undefined;
}

/** A model that scorers can be made of; without `render` and `transcribe` it takes no changed prompt, without `open` it writes nothing. */
export type ScoringModel = LikeliestTeacher & Partial<Scribe & Pick<Policy, "open">>;

/** A frozen model that scores the student's tokens. */
export interface ScoringTeacher {
  readonly model: ScoringModel;
  /** For one that takes turns with the student on the device: readies it, awaits the work, frees it. */
  readonly use?: (<T>(work: () => Promise<T>) => Promise<T>) | undefined;
}
