// What this package asks of a model: embeddings of a prompt, and scores of responses to variants of it. A model fits these structurally.
import type { Device, Tensor } from "@iapo/tensor-core";

/** A prompt and the responses to it as one model embeds them. On no tape. */
export interface Embedded {
  /** f32 [promptTokens, width]: all that the model reads of each token, image rows in their places. */
  readonly embeddings: Tensor;
  /** [promptTokens] index of the image that a token shows, or -1. */
  readonly imageOfToken: Int32Array;
  /** f32 [1, width]: mean row of the embedding table, as a text token in its place would be read. */
  readonly meanEmbedding: Tensor;
  /** f32 [1, width]: embedding of the padding token, where the model has one. */
  readonly padEmbedding: Tensor | undefined;
  /** How many tokens are scored in each response. */
  readonly targets: readonly number[];
  /** Rows of a pass that scores all responses to one variant of the prompt. */
  readonly responseRows: number;
  dispose(): void;
}

/** Embeddings of a prompt from one token on; the tokens before are as they were. */
export interface Variant {
  /** The prompt that it is a variant of. */
  readonly embedded: Embedded;
  readonly firstToken: number;
  /** f32 [promptTokens - firstToken, width]. */
  readonly rows: Tensor;
}

/** What responses see of some variants of prompts: for a transformer, keys and values of each layer. */
export interface PromptStates {
  /** The prompt of each variant. */
  readonly variants: readonly Embedded[];
  /** Made by the model, read by the model; here they are only differentiated by. */
  readonly tensors: readonly Tensor[];
}

/**
 * A model that attribution can look into. A score is the sum over a response's target tokens of `log softmax(logits)[token]` at
 * temperature 1 (docs/method.md F3). All methods are synchronous and record on the tape, if there is one. No number depends on what is packed
 * beside it.
 */
export interface DifferentiableModel<Input> {
  readonly device: Device;
  /** @throws where the input cannot be embedded */
  embed(input: Input): Embedded;
  /** Runs variants of prompts in one packed pass. `whole`: states of the whole prompts; needed where a variant starts after token 0. */
  prefill(variants: readonly Variant[], whole?: PromptStates): PromptStates;
  /** Log-probs f32 [targets]: variant by variant, of the target tokens of each of `responses` (default all of its prompt), differentiable by the states. */
  score(states: PromptStates, responses?: readonly number[]): Tensor;
}
