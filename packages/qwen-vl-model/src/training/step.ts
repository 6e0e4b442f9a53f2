// One optimizer step on a packed batch, for a loss given on its log-probs.
import {
  AdamW,
  type AdamWOptions,
  clipByGlobalNorm,
  type LogProbOptions,
  type LogProbs,
  record,
  scope,
  type Tensor,
} from "@iapo/tensor-core";
import type { QwenVLModel } from "../model/model.ts";
import type { PackedBatch } from "../model/pack.ts";
import type { TrainableWeight } from "../weights/weights.ts";

/** What is trained: the adapter where one is on, else the weights that have masters. */
export function trainableParameters(model: QwenVLModel): TrainableWeight[] {
  return model.adapter ? model.adapter.parameters : model.weights.trainable;
}

/** An optimizer of `parameters`: it updates masters and refreshes the run copies that are rounded from them. */
export function optimizerOf(parameters: readonly TrainableWeight[], options?: AdamWOptions): AdamW {
  return new AdamW(
    parameters.map(({ master, run }) => ({ master, ...(run === master ? {} : { runCopy: run }) })),
    options,
  );
}

export interface StepOptions extends LogProbOptions {
  readonly learningRate: number;
  /** Gradients are scaled down to this global norm; default 1. */
  readonly maxNorm?: number;
  /** Save each layer's input only and compute the layer again in the backward pass. */
  readonly checkpoint?: boolean;
}

/**
 * Records forward, backward and optimizer step. `loss` makes one number from the batch's log-probs and entropies. Returns the loss, which the
 * caller reads and disposes. A step whose gradient is not finite changes nothing.
 */
export function trainStep(
  model: QwenVLModel,
  optimizer: AdamW,
  batch: PackedBatch,
  loss: (made: LogProbs) => Tensor,
  options: StepOptions,
): Tensor {
  const parameters = trainableParameters(model).map(({ run }) => run);
  const uploaded = model.upload(batch);
  try {
    return scope(() => {
      const recorded = record(parameters, () =>
        scope(() => {
          const hidden = model.hidden(model.embed(uploaded, options), uploaded, options);
          return loss(model.logProbs(hidden, batch, options));
        }),
      );
      const gradients = recorded.backward(recorded.value);
      optimizer.step(gradients, {
        learningRate: options.learningRate,
        clip: clipByGlobalNorm(gradients, options.maxNorm ?? 1),
      });
      return recorded.value;
    });
  } finally {
    model.release(uploaded);
  }
}
