// One optimizer step on a packed batch, of this package's pieces alone. Runs are trained by the Learner of @iapo/grpo.
import {
  AdamW,
  clipByGlobalNorm,
  type LogProbOptions,
  type LogProbs,
  record,
  scope,
  type Tensor,
} from "@iapo/tensor-core";
import type { QwenVLModel } from "../../src/model/model.ts";
import type { PackedBatch } from "../../src/model/pack.ts";

/** Updates masters and refreshes the run copies that are rounded from them. */
export function optimizerOf(model: QwenVLModel): AdamW {
  return new AdamW(model.trainable.map(({ master, run }) => ({ master, ...(run === master ? {} : { runCopy: run }) })));
}

interface StepOptions extends LogProbOptions {
  readonly learningRate: number;
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
  const parameters = model.trainable.map(({ run }) => run);
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
      optimizer.step(gradients, { learningRate: options.learningRate, clip: clipByGlobalNorm(gradients, 1) });
      return recorded.value;
    });
  } finally {
    model.release(uploaded);
  }
}
