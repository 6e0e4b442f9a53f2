// The model as a policy that rollouts sample from and updates train: what @iapo/grpo asks of one, without knowing it.
import type { Policy, Scribe, Trajectory, Turn, TurnInput } from "@iapo/rollout-trace";
import { concat, type Device, gatherRows, type LogProbs, RowIndex, reshape, scope, Tensor } from "@iapo/tensor-core";
import { DifferentiablePolicy } from "../attribution/calls.ts";
import { at } from "../checked.ts";
import type { ModelSettings, ModelSource } from "../config/model-settings.ts";
import { bannedIdsOf } from "../generation/banned.ts";
import type { PassOptions } from "../generation/pass.ts";
import { QwenVLModel } from "../model/model.ts";
import { type PackedBatch, packGroups } from "../model/pack.ts";
import type { Processor } from "../processor/processor.ts";
import type { WeightSource } from "../weights/source.ts";
import { refreshRunCopy, type TrainableWeight, type Weight, Weights } from "../weights/weights.ts";
import { ImageStore, imagesOf } from "./image-store.ts";
import { countTokens } from "./input.ts";
import { type LoadPolicyOptions, loadPolicyParts } from "./load.ts";
import { PolicySession } from "./session.ts";
import { type PackedTraces, packTraces } from "./traces.ts";
import { renderTurn, transcribe } from "./transcribe.ts";

/** Traces packed and uploaded for one forward pass. Dispose it after the backward pass. */
export interface ScorableTraces {
  /** Rows of the pass. */
  readonly rows: number;
  /**
   * Of every sampled token, trace by trace and turn by turn, under each turn's temperature and banned ids. On the tape, if there is one.
   * @param options `keepRows`: with the rows that predict the tokens
   */
  logProbs(options?: { readonly keepRows?: boolean }): LogProbs & { readonly rows?: readonly PredictingRows[] };
  dispose(): void;
}

/** Rows that predict sampled tokens under one temperature and one set of banned ids, and the head that they go through. */
export interface PredictingRows {
  /** f32 [n, width], on the tape if there is one. */
  readonly hidden: Tensor;
  /** f32 or bf16 [vocabulary, width] */
  readonly head: Tensor;
  readonly temperature: number;
  readonly bannedIds: readonly number[];
  /** [m] the row of each token, */
  readonly rows: Int32Array;
  /** and its place among all sampled tokens. */
  readonly tokens: Int32Array;
}

export interface PolicyOptions {
  /** Where its weights can be read again, for `withWeights` and `withoutWeights`. */
  readonly weights?: WeightSource | undefined;
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
  readonly #weights: WeightSource | undefined;

  /**
   * A policy with a checkpoint's weights: `source` is a directory, a hub id (`Qwen/Qwen2.5-VL-3B-Instruct`) or a model's settings. All weights are
   * trained, or the fresh adapter of `lora`, or nothing where it is `frozen`. The caller disposes it.
   * @throws QwenVLError, SafetensorsError, TensorError `out_of_memory`, the reason of `signal`; nothing is left on the device then
   */
  static async load(
    device: Device,
    source: string | (ModelSource & Partial<ModelSettings>),
    options: LoadPolicyOptions = {},
  ): Promise<QwenVLPolicy> {
    const { model, processor, weights } = await loadPolicyParts(device, source, options);
    const checkpoint = options.recompute ?? (typeof source === "string" ? false : (source.recompute ?? false));
    return new QwenVLPolicy(model, processor, { checkpoint, weights });
  }

  constructor(model: QwenVLModel, processor: Processor, options: PolicyOptions = {}) {
    this.model = model;
    this.processor = processor;
    this.images = options.images ?? new ImageStore(processor);
    this.bannedIds = bannedIdsOf(model.config, processor.tokenizer.size);
    this.#checkpoint = options.checkpoint ?? false;
    this.#weights = options.weights;
  }

  get device(): Device {
    return this.model.device;
  }

  /** The adapter's matrices where one is on, else the weights that have masters. */
  get parameters(): readonly TrainableWeight[] {
    return this.model.trainable;
  }

  /** Rewrites run copies from masters that were set from outside, such as from a checkpoint. */
  refresh(): void {
    for (const weight of this.parameters) refreshRunCopy(weight);
  }

  /** Tokens of a prompt, its pictures included. @throws QwenVLError as `Processor.encodeChat` */
  countTokens(prompt: TurnInput): number {
    return countTokens(this.processor, prompt);
  }

  /** The model as attribution sees it, with recorded turns for input; it recomputes activations where the policy does. */
  differentiable(): DifferentiablePolicy {
    return new DifferentiablePolicy(this, { checkpoint: this.#checkpoint });
  }

  /** Awaits `work` with the weights on the device: those of a policy that was loaded with `residence: "turns"` are there only meanwhile. */
  async withWeights<T>(work: () => Promise<T>): Promise<T> {
    if (!this.#weights || this.model.hasWeights) return work();
    try {
      await this.#load(this.#weights);
      return await work();
    } finally {
      this.model.releaseWeights();
    }
  }

  /** Awaits `work` with frozen weights off the device: those under an adapter, which stays. Weights in training stay too. */
  async withoutWeights<T>(work: () => Promise<T>): Promise<T> {
    if (!this.#weights || !this.model.adapter) return work();
    this.model.releaseWeights();
    try {
      return await work();
    } finally {
      await this.#load(this.#weights);
    }
  }

  /** Large idle buffers go first: kept for reuse, they would lie beside those of the other model. */
  async #load(weights: WeightSource): Promise<void> {
    this.device.trimPhase();
    this.model.weights = await this.device.retryOutOfMemory(
      () => weights.load({ trained: false, quiet: true }),
      (loaded) => loaded.dispose(),
    );
  }

  /** Computes prompts and begins their responses. The caller closes the session. @throws QwenVLError, the reason of the signal */
  async open(prompts: readonly TurnInput[], options: PassOptions = {}): Promise<PolicySession> {
    return PolicySession.open(this, prompts, options);
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
    const turns = groups.flatMap((traces) => traces.flatMap((trace) => trace.turns));
    const traces = packTraces(groups, imagesOf(this.images, turns), model.config.tokens.image);
    const batch = packGroups(model.config, traces.groups);
    const uploaded = model.upload(batch);
    const options = { checkpoint: this.#checkpoint };
    return {
      rows: batch.tokens.length,
      logProbs: ({ keepRows = false } = {}) =>
        scope(() => {
          const hidden = model.hidden(model.embed(uploaded, options), uploaded, options);
          const { rows, ...outputs } = headOutputs(model, hidden, batch, traces);
          return keepRows ? { ...outputs, rows } : outputs;
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
    const copies = new Weights(this.device, model.weights.dtype, copiesOf(model.weights.trainable));
    const policy = of(new Weights(this.device, model.weights.dtype, [...model.weights, ...copies]));
    return { pack: (groups) => policy.pack(groups), dispose: () => copies.dispose() };
  }
}

/** One call of the head for each class of targets; then the order of the traces. */
function headOutputs(
  model: QwenVLModel,
  hidden: Tensor,
  batch: PackedBatch,
  { classes, order }: PackedTraces,
): LogProbs & { readonly rows: readonly PredictingRows[] } {
  const made = classes.map(({ targets, ...options }) =>
    model.predict(
      hidden,
      {
        targetRows: Int32Array.from(targets, (target) => at(batch.targetRows, target)),
        targetIds: Int32Array.from(targets, (target) => at(batch.targetIds, target)),
      },
      options,
    ),
  );
  const places = placesOf(order);
  let first = 0;
  const rows = made.map(({ kept, rows: ofTargets }, i): PredictingRows => {
    const { temperature, bannedIds } = at(classes, i);
    const tokens = places.subarray(first, first + ofTargets.length);
    first += ofTargets.length;
    return { hidden: kept, head: model.head, temperature, bannedIds, rows: ofTargets, tokens };
  });
  const [only, ...others] = made;
  if (only && others.length === 0 && order.every((target, i) => target === i))
    return { logProb: only.logProb, entropy: only.entropy, rows };
  const index = RowIndex.of(model.device, order, order.length);
  const ordered = (parts: readonly Tensor[]): Tensor => {
    const joined = reshape(concat(parts, 0), [order.length, 1]);
    return reshape(gatherRows(joined, index), [order.length]);
  };
  return {
    logProb: ordered(made.map(({ logProb }) => logProb)),
    entropy: ordered(made.map(({ entropy }) => entropy)),
    rows,
  };
}

/** From `order[token] = target` to the token of each target. */
function placesOf(order: Int32Array): Int32Array {
  const places = new Int32Array(order.length);
  order.forEach((target, token) => {
    places[target] = token;
  });
  return places;
}

/** Copies of run copies, without masters. Throws `out_of_memory`, keeping nothing. */
function copiesOf(weights: readonly Weight[]): Weight[] {
  return scope(() => weights.map((weight) => ({ ...weight, run: copyOf(weight.run), master: undefined })));
}

/** Cut as the tensor is: a bf16 matrix may have more row shards than one binding asks for. */
function copyOf(tensor: Tensor): Tensor {
  const { device, shape, dtype, shards } = tensor;
  if (shards) return new Tensor(device, shape, dtype, { shards: shards.map(copyOf) });
  const copy = device.empty(shape, dtype);
  device.copyBytes(tensor, 0, copy, 0, Math.ceil(tensor.bytes / 4) * 4);
  return copy;
}
