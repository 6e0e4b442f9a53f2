// What a model is, read from its configuration: one record for all families.

/** The text decoder; names as in Hugging Face's configuration. */
export interface TextConfig {
  readonly hiddenSize: number;
  readonly numHiddenLayers: number;
  readonly numAttentionHeads: number;
  readonly numKeyValueHeads: number;
  /** Even. `numAttentionHeads` of them may be wider than `hiddenSize`. */
  readonly headDim: number;
  readonly intermediateSize: number;
  readonly vocabSize: number;
  readonly rmsNormEps: number;
  /** Queries, keys and values have biases. */
  readonly attentionBias: boolean;
  /** Queries and keys are normalized head by head before they are rotated. */
  readonly qkNorm: boolean;
  readonly ropeTheta: number;
  /** How many rope frequencies turn with the time, height and width position; they add up to `headDim / 2`. */
  readonly mropeSection: readonly [number, number, number];
  /** Height and width take every third frequency from the second and third on, time the rest; otherwise the three follow one another. */
  readonly mropeInterleaved: boolean;
  readonly maxPositionEmbeddings: number;
  /** The head is the embedding table; there is no `lm_head.weight`. */
  readonly tieWordEmbeddings: boolean;
}

/** What the vision towers of all families have; each adds its own. */
export interface VisionConfig {
  readonly depth: number;
  readonly hiddenSize: number;
  readonly numHeads: number;
  /** `hiddenSize / numHeads`, a multiple of 4. */
  readonly headDim: number;
  readonly intermediateSize: number;
  /** Width of a merged row; equals the text decoder's `hiddenSize`. */
  readonly outHiddenSize: number;
  /** Pixels along one side of a patch. */
  readonly patchSize: number;
  readonly temporalPatchSize: number;
  /** Patches along one side of a merged cell. */
  readonly spatialMergeSize: number;
  readonly inChannels: number;
  readonly ropeTheta: number;
  /** Hard coded in every published implementation. */
  readonly normEps: number;
  /** Blocks after which features are taken for the decoder, ascending: those of the k-th are added to image rows after its layer k. */
  readonly deepstackBlocks: readonly number[];
}

export interface SpecialTokens {
  readonly image: number;
  readonly video: number;
  readonly visionStart: number;
  readonly visionEnd: number;
  readonly bos: number | undefined;
  readonly eos: readonly number[];
  readonly pad: number | undefined;
}

export interface QwenVLConfig<Vision extends VisionConfig = VisionConfig> {
  /** Hugging Face's `model_type`, which names the family. */
  readonly modelType: string;
  readonly text: TextConfig;
  readonly vision: Vision;
  readonly tokens: SpecialTokens;
  /** The dtype that the file announces, else bfloat16; the tensors themselves decide. */
  readonly dtype: "bfloat16" | "float32" | "float16";
}

/** One tensor. Names are those of this package; matrices are `[out, in]`. */
export interface TensorSpec {
  readonly name: string;
  readonly shape: readonly number[];
  /** The matrix of a linear layer within the model, which an adapter may be for. */
  readonly isProjection?: true;
}

/** Weight and bias of a linear layer. */
export function linearTensors(name: string, out: number, input: number, bias: boolean): TensorSpec[] {
  const weight: TensorSpec = { name: `${name}.weight`, shape: [out, input], isProjection: true };
  return bias ? [weight, { name: `${name}.bias`, shape: [out] }] : [weight];
}
