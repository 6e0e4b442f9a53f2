// What a loss is made of: one term per token in f64 with its derivative, the same on the GPU, and what it was published with.
import type { RowIndex, Tensor } from "@iapo/tensor-core";
import type { AdvantageScale } from "../math/advantages.ts";
import type { Aggregation } from "../math/aggregation.ts";
import type { ImportanceOptions } from "../math/importance.ts";
import type { Term, TokenInputs } from "../math/terms.ts";
import type { KlOptions } from "./kl.ts";
import type { TensorOps } from "./tensor-ops.ts";

export interface LossSettings {
  /** Bounds of the ratio: `1 - low` to `1 + high`. */
  readonly clip: { readonly low: number; readonly high: number };
  /** For A < 0 the clipped term is at most `-A dualClip` (Ye et al. 2020; TRL's `delta`); `undefined` for no bound. */
  readonly dualClip?: number | undefined;
  /** Temperatures of SAPO's gate, by the sign of the advantage. */
  readonly gate: { readonly positive: number; readonly negative: number };
  readonly aggregation: Aggregation["kind"];
  /** Tokens that `constant` divides by, usually the longest response allowed. */
  readonly constantLength?: number | undefined;
  readonly kl?: KlOptions | undefined;
  readonly importance?: ImportanceOptions | undefined;
  /** Whose tokens are trained: every turn's (IAPO) or the final turn's (VTool-R1). */
  readonly turns: "all" | "final_only";
  /** Leaves responses out of which a turn was cut off at its most tokens (TRL's `mask_truncated_completions`). */
  readonly maskTruncated: boolean;
}

/** What the term of each token is computed from; f32 [N], on the device. */
export interface TokenTensors {
  /** On the tape: `log rho` of the token; at the level `sequence` the value is the mean over its response. */
  readonly logRatio: Tensor;
  /** On the tape. */
  readonly logProb: Tensor;
  readonly advantages: Tensor;
}

/** What the loss was published with; settings that are left out do not concern it. */
export type LossPreset = Partial<Pick<LossSettings, "clip" | "dualClip" | "gate">> & Pick<LossSettings, "aggregation">;

export interface LossDefinition<Kind extends string> {
  readonly kind: Kind;
  /** The term of a token, in Markdown. Legend: rho = ratio, A = advantage, sg = no gradient. */
  readonly formula: string;
  readonly source: string;
  readonly preset: LossPreset;
  /** How advantages are scaled where a configuration does not say; default `group`. */
  readonly advantageScale?: AdvantageScale;
  /** Whose ratio it takes. */
  readonly level: "token" | "sequence";
  /** f64: what a token adds to the loss, before weights. */
  term(token: TokenInputs, settings: LossSettings): Term;
  /** The same on the GPU, for all tokens: f32 [N], differentiable by `logProb`. */
  tensors(tokens: TokenTensors, settings: LossSettings, ops: TensorOps): Tensor;
}

export function defineLoss<const Kind extends string>(definition: LossDefinition<Kind>): LossDefinition<Kind> {
  return definition;
}

/** N sampled tokens of R responses on the device. All but `logProb` and `entropy` are constants. */
export interface LossTensors {
  /** f32 [N], on the tape. */
  readonly logProb: Tensor;
  /** f32 [N], on the tape; nats. */
  readonly entropy: Tensor;
  /** f32 [N] under the policy before this step's first update. */
  readonly oldLogProbs: Tensor;
  /** f32 [N] */
  readonly advantages: Tensor;
  /** f32 [N] what a token's term weighs in the loss; 0 where it does not count. */
  readonly tokenWeights: Tensor;
  /** f32 [N] factor of the policy's terms besides: importance weights; undefined for ones. */
  readonly importance: Tensor | undefined;
  /** f32 [N] where KL is in the loss. */
  readonly referenceLogProbs: Tensor | undefined;
  /** [N] the response of each token. */
  readonly responses: RowIndex;
  /** f32 [N] 1 / number of tokens that count in the token's response, 0 where it does not count. */
  readonly inverseLengths: Tensor;
}

/** One number, differentiable by `logProb` and `entropy`, from tensor-core's ops, which are handed in. */
export type TensorLoss = (tensors: LossTensors, ops: TensorOps) => Tensor;
