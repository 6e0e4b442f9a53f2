// The model as a policy that rollouts sample from and updates train: what @iapo/grpo asks of one, without knowing it.
import type { Image, Policy, Scribe, Trajectory, Turn, TurnInput } from "@iapo/rollout-trace";
import {
  concat,
  type Device,
  gatherRows,
  type LogProbs,
  RowIndex,
  reshape,
  scope,
  type Tensor,
} from "@iapo/tensor-core";
import { bannedIdsOf } from "../generation/banned.ts";
import { QwenVLModel } from "../model/model.ts";
import { type PackedBatch, packGroups } from "../model/pack.ts";
import type { Processor } from "../processor/processor.ts";
import { trainableParameters } from "../training/step.ts";
import { refreshRunCopy, type Weight, Weights } from "../weights/weights.ts";
import { ImageStore } from "./image-store.ts";
import { countTokens } from "./input.ts";
import { PolicySession } from "./session.ts";
import { type PackedTraces, packTraces } from "./traces.ts";
import { renderTurn, transcribe } from "./transcribe.ts";

/** Traces packed and uploaded for one forward pass. Dispose it after the backward pass. */
export interface ScorableTraces {
  /** Rows of the pass. */
  readonly rows: number;
  /** Of every sampled token, trace by trace and turn by turn, under each turn's temperature and banned ids. On the tape, if there is one. */
  logProbs(): LogProbs;
  dispose(): void;
}

export interface PolicyOptions {
  /** Recompute each layer in the backward pass in place of keeping its activations. */
  readonly checkpoint?: boolean;
  /** Patches of images, which policies with the same processor can share. */
  readonly images?: ImageStore;
}

export class QwenVLPolicy implements Policy, Scribe {
  readonly model: QwenVLModel;
  readonly processor: Processor;
  readonly images: ImageStore;
  /** Ids that are never sampled. */
  readonly bannedIds: readonly number[];
  /** Counts the updates so far. */
  version = 0;
  readonly #checkpoint: boolean;

  constructor(model: QwenVLModel, processor: Processor, options: PolicyOptions = {}) {
    this.model = model;
    this.processor = processor;
    this.images = options.images ?? new ImageStore(processor);
    this.bannedIds = bannedIdsOf(model.config, processor.tokenizer.size);
    this.#checkpoint = options.checkpoint ?? false;
  }

  get device(): Device {
    return this.model.device;
  }

  /** The adapter's matrices where one is on, else the weights that have masters. */
  get parameters(): readonly (Weight & { readonly master: Tensor })[] {
    return trainableParameters(this.model);
  }

  /** Rewrites run copies from masters that were set from outside, such as from a checkpoint. */
  refresh(): void {
    for (const weight of this.parameters) refreshRunCopy(weight);
  }

  /** Tokens of a prompt, its pictures included. @throws QwenVLError as `Processor.encodeChat` */
  countTokens(prompt: TurnInput): number {
    return countTokens(this.processor, prompt);
  }

  /** Computes prompts and begins their responses. The caller closes the session. @throws QwenVLError */
  async open(prompts: readonly TurnInput[]): Promise<PolicySession> {
    return new PolicySession(this, prompts);
  }

  /** A given text as the turn that the policy would have written: see `transcribe`. @throws QwenVLError */
  transcribe(input: TurnInput, text: string, before?: Turn): Turn {
    return transcribe(this, input, text, before);
  }

  /** The turn in which the policy wrote these ids: see `renderTurn`. @throws QwenVLError */
  render(input: TurnInput, ids: Int32Array, before?: Turn): Turn {
    return renderTurn(this, input, ids, before);
  }

  /** Groups of traces that share their first prompt or its beginning, for one pass. @throws QwenVLError as `packTraces` */
  pack(groups: readonly (readonly Trajectory[])[]): ScorableTraces {
    const { model } = this;
    const traces = packTraces(groups, (image: Image) => this.images.get(image), model.config.tokens.image);
    const batch = packGroups(model.config, traces.groups);
    const uploaded = model.upload(batch);
    const options = { checkpoint: this.#checkpoint };
    return {
      rows: batch.tokens.length,
      logProbs: () =>
        scope(() => {
          const hidden = model.hidden(model.embed(uploaded, options), uploaded, options);
          return headOutputs(model, hidden, batch, traces);
        }),
      dispose: () => model.release(uploaded),
    };
  }

  /**
   * The policy as it is now, frozen, for KL: the base model where an adapter is trained, else a copy of the trained weights. Its
   * `dispose` frees the copy.
   */
  reference(): { pack: QwenVLPolicy["pack"]; dispose(): void } {
    const { model, processor, images } = this;
    const of = (weights: Weights) => new QwenVLPolicy(new QwenVLModel(model.config, weights), processor, { images });
    if (model.adapter) return { pack: (groups) => of(model.weights).pack(groups), dispose: () => {} };
    const copies: Tensor[] = [];
    const policy = of(frozen(model.weights, copies));
    return {
      pack: (groups) => policy.pack(groups),
      dispose: () => {
        for (const copy of copies) copy.dispose();
      },
    };
  }
}

/** One call of the head for each class of targets; then the order of the traces. */
function headOutputs(
  model: QwenVLModel,
  hidden: Tensor,
  batch: PackedBatch,
  { classes, order }: PackedTraces,
): LogProbs {
  const made = classes.map(({ targets, ...options }) =>
    model.logProbs(
      hidden,
      {
        ...batch,
        targetRows: Int32Array.from(targets, (target) => batch.targetRows[target]!),
        targetIds: Int32Array.from(targets, (target) => batch.targetIds[target]!),
      },
      options,
    ),
  );
  if (made.length === 1 && order.every((target, i) => target === i)) return made[0]!;
  const index = RowIndex.of(model.device, order, order.length);
  const ordered = (parts: readonly Tensor[]): Tensor => {
    const joined = reshape(concat(parts, 0), [order.length, 1]);
    return reshape(gatherRows(joined, index), [order.length]);
  };
  return {
    logProb: ordered(made.map(({ logProb }) => logProb)),
    entropy: ordered(made.map(({ entropy }) => entropy)),
  };
}

/** The same weights without masters; those that are trained are copied to `copies`. */
function frozen(weights: Weights, copies: Tensor[]): Weights {
  const own = (weight: Weight): Weight => {
    if (weight.master === undefined) return weight;
    const run = copyOf(weight.run);
    copies.push(run);
    return { ...weight, run, master: undefined };
  };
  return new Weights(weights.device, weights.dtype, Array.from(weights, own));
}

function copyOf(tensor: Tensor): Tensor {
  const { device, shape, dtype } = tensor;
  const copy = tensor.shards ? device.emptyMatrix([shape[0]!, shape[1]!], dtype) : device.empty(shape, dtype);
  const targets = copy.parts();
  tensor.parts().forEach(({ tensor: part }, i) => {
    device.copyBytes(part, 0, targets[i]!.tensor, 0, Math.ceil(part.bytes / 4) * 4);
  });
  return copy;
}
