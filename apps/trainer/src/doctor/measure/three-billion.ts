// Two layers of the 3B model in its own widths, with weights that the adapter makes, and the phases of a step on them. On a software adapter narrow ones.

import {
  Adapter,
  packGroups,
  QwenVLModel,
  Session,
  TEXT_PROJECTIONS,
  type UploadedBatch,
  Weights,
  workloadGroup,
} from "@iapo/qwen-vl-model";
import { knownConfigs, type QwenVLConfig } from "@iapo/qwen-vl-model/config";
import {
  castInto,
  type Device,
  deriveSeed,
  fill,
  mean,
  multiply,
  negate,
  randomNormal,
  record,
  scope,
  type Tensor,
} from "@iapo/tensor-core";

const whole = knownConfigs["3B"];
const LAYERS = 2;
const IMAGE = [1, 54, 74] as const;
const DEVIATION = 0.02;
const LORA = { rank: 16, alpha: 32, targets: TEXT_PROJECTIONS };

export interface StepSizes {
  readonly config: QwenVLConfig;
  readonly name: string;
  readonly images: readonly (typeof IMAGE)[];
  readonly promptTokens: number;
  readonly responseTokens: number;
  /** Responses that decode at once. */
  readonly batches: readonly number[];
  readonly decoded: number;
}

export const cardSizes: StepSizes = {
  name: `Qwen2.5-VL 3B, ${LAYERS} of ${whole.text.numHiddenLayers} layers, LoRA of rank ${LORA.rank}`,
  config: {
    ...whole,
    text: { ...whole.text, numHiddenLayers: LAYERS },
    vision: { ...whole.vision, depth: LAYERS, fullAttentionBlocks: [1] } as QwenVLConfig["vision"],
  },
  images: [IMAGE],
  promptTokens: 500,
  responseTokens: 256,
  batches: [1, 8, 64],
  decoded: 16,
};

export const smallSizes: StepSizes = {
  name: "one narrow layer, for software adapters",
  config: {
    ...whole,
    text: {
      ...whole.text,
      ...{ numHiddenLayers: 1, hiddenSize: 256, numAttentionHeads: 2, numKeyValueHeads: 1, intermediateSize: 512 },
      vocabSize: 2048,
    },
    vision: { ...whole.vision, depth: 0, fullAttentionBlocks: [] } as QwenVLConfig["vision"],
  },
  images: [],
  promptTokens: 64,
  responseTokens: 16,
  batches: [4],
  decoded: 8,
};

/** A model with random weights that never were on the host, and an adapter. */
export function randomModel(device: Device, config: QwenVLConfig): QwenVLModel {
  const weights = Weights.allocate(device, config, "bf16");
  let number = 0;
  for (const { name, run } of weights)
    for (const { tensor: part } of run.parts())
      scope(() =>
        castInto(part, part.shape.length === 2 ? normals(device, part, number++) : constant(device, part, name)),
      );
  return new QwenVLModel(config, weights, Adapter.create(device, config, LORA, deriveSeed("doctor")));
}

const normals = (device: Device, { shape }: Tensor, number: number): Tensor =>
  multiply(randomNormal(device, shape, deriveSeed("doctor", number)), DEVIATION);
const constant = (device: Device, { shape }: Tensor, name: string): Tensor =>
  fill(device, shape, name.endsWith(".bias") ? 0 : 1);

/** A phase of a step. `prepare` makes ready what it needs and gives back what is to be timed, which is done once. */
export interface StepPhase {
  readonly name: string;
  prepare(): Promise<() => Promise<void>>;
}

export function phasesOf(
  model: QwenVLModel,
  { config, images, promptTokens, responseTokens, batches, decoded }: StepSizes,
): StepPhase[] {
  const groupOf = (responses: number) => workloadGroup(config, { promptTokens, images, responses, responseTokens });
  const { prompt } = groupOf(1);
  const prefill = async () => async (): Promise<void> => {
    using _ = await Session.open(model, [prompt]);
    await model.device.idle();
  };
  const decode = (samples: number) => async () => {
    const opened = await Session.open(model, [prompt]);
    return async (): Promise<void> => {
      using session = opened;
      const seeds = Array.from({ length: samples }, (_, i) => deriveSeed("doctor", i));
      await session.generate({ samples, sampling: { temperature: 1 }, seeds, stop: { ids: [], maxTokens: decoded } });
    };
  };
  const batch = packGroups(config, [groupOf(4)]);
  const update = async () => async (): Promise<void> => {
    const uploaded = model.upload(batch);
    try {
      scope(() => gradientsOf(model, uploaded));
    } finally {
      model.release(uploaded);
    }
    await model.device.idle();
  };
  return [
    { name: "prefill", prepare: prefill },
    ...batches.map((samples) => ({ name: `decode, ${samples} at once`, prepare: decode(samples) })),
    { name: "update", prepare: update },
  ];
}

/** Forward and backward pass of all log-probs. */
function gradientsOf(model: QwenVLModel, uploaded: UploadedBatch): void {
  const parameters = model.trainable.map(({ run }) => run);
  const recorded = record(parameters, () =>
    scope(() => {
      const hidden = model.hidden(model.embed(uploaded), uploaded);
      return negate(mean(model.logProbs(hidden, uploaded.batch).logProb));
    }),
  );
  recorded.backward(recorded.value);
}
