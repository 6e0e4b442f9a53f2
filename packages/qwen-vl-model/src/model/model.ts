// The whole model: ids and images to embeddings, embeddings to hidden states, hidden states to log-probabilities.
import {
  type Device,
  gatherRows,
  type LogProbOptions,
  type LogProbs,
  logProbs,
  lookupRows,
  overwriteRows,
  RowIndex,
  scope,
  type Tensor,
  withTag,
} from "@iapo/tensor-core";
import { rowsOf } from "../checked.ts";
import type { QwenVLConfig } from "../config/types.ts";
import { towerOf } from "../families/towers.ts";
import type { Adapter } from "../lora/adapter.ts";
import { type TrainableWeight, Weights } from "../weights/weights.ts";
import { type TextLayout, type UploadedLayout, uploadTextLayout } from "./layout.ts";
import type { ModelParameters } from "./linear.ts";
import type { PackedBatch } from "./pack.ts";
import { type InputEmbeddings, type TextForwardOptions, type TextRows, textForward } from "./text.ts";
import type { TowerOptions, UploadedVision, VisionFeatures } from "./tower.ts";

/** A packed batch on the device. Dispose it after the backward pass. */
export interface UploadedBatch {
  readonly batch: PackedBatch;
  readonly tokens: RowIndex;
  readonly layout: UploadedLayout;
  readonly vision: UploadedVision | undefined;
  readonly imageRows: RowIndex | undefined;
  readonly imageSources: RowIndex | undefined;
}

/** A model of any family on a device. The object holds no activations: every method returns what it makes. */
export class QwenVLModel {
  readonly device: Device;
  readonly config: QwenVLConfig;
  /** Of `config`. A frozen model's may be taken away and brought back while nothing runs. */
  weights: Weights;
  /** The adapter that is on, or undefined for the base model. */
  adapter: Adapter | undefined;

  constructor(config: QwenVLConfig, weights: Weights, adapter?: Adapter) {
    this.device = weights.device;
    this.config = config;
    this.weights = weights;
    this.adapter = adapter;
  }

  get parameters(): ModelParameters {
    return { weights: this.weights, adapter: this.adapter };
  }

  /** What is trained: the adapter where one is on, else the weights that have masters. */
  get trainable(): readonly TrainableWeight[] {
    return this.adapter ? this.adapter.parameters : this.weights.trainable;
  }

  get embeddings(): Tensor {
    return this.#matrix("model.embed_tokens.weight");
  }

  /** The matrix of the output head: `lm_head.weight`, or the embedding where they are tied. An adapter may hold either, and part them. */
  get head(): Tensor {
    if (!this.config.text.tieWordEmbeddings) return this.#matrix("lm_head.weight");
    return this.adapter?.replaced.get("lm_head.weight") ?? this.weights.get("model.embed_tokens.weight");
  }

  #matrix(name: string): Tensor {
    return this.adapter?.replaced.get(name) ?? this.weights.get(name);
  }

  /** Uploads a batch, whose segments may name rows of a cache. */
  upload(batch: PackedBatch): UploadedBatch {
    const { device, config } = this;
    const images = batch.vision;
    const patches = images?.grids.reduce((sum, [t, h, w]) => sum + t * h * w, 0) ?? 0;
    const sources = patches / config.vision.spatialMergeSize ** 2;
    return scope(() => ({
      batch,
      tokens: withTag("layout", () => RowIndex.of(device, batch.tokens, config.text.vocabSize)),
      layout: uploadTextLayout(device, config.text, batch),
      vision: images && towerOf(config).upload(device, config.vision, images),
      imageRows: images && withTag("layout", () => RowIndex.of(device, batch.imageRows, batch.tokens.length)),
      imageSources: images && withTag("layout", () => RowIndex.of(device, batch.imageSources, sources)),
    }));
  }

  /** Frees what `upload` made. */
  release({ tokens, layout, vision, imageRows, imageSources }: UploadedBatch): void {
    const parts = [tokens, layout.cos, layout.sin, layout.segments, vision, imageRows, imageSources];
    for (const part of parts) part?.dispose();
  }

  /** What the vision tower makes of the batch's distinct images; undefined where there are none. */
  vision({ vision }: UploadedBatch, options: TowerOptions = {}): VisionFeatures | undefined {
    return vision && towerOf(this.config).forward(this.parameters, this.config.vision, vision, options);
  }

  /** Uploads a layout of text rows alone. */
  uploadText(layout: TextLayout): UploadedLayout {
    return uploadTextLayout(this.device, this.config.text, layout);
  }

  /** Token embeddings `[rows, hidden]` of ids on the device; not differentiable. */
  embedTokens(ids: Tensor): Tensor {
    return lookupRows(this.embeddings, ids);
  }

  /** Token embeddings `[rows, hidden]` with image rows in their places, and what is added to those later. */
  embed(uploaded: UploadedBatch, options: TowerOptions = {}): InputEmbeddings {
    const { imageRows, imageSources } = uploaded;
    return scope(() => {
      const text = gatherRows(this.embeddings, uploaded.tokens);
      const visual = this.vision(uploaded, options);
      if (!visual || !imageRows || !imageSources) return { rows: text, deep: [] };
      const placed = (features: Tensor): Tensor => gatherRows(features, imageSources);
      return { rows: overwriteRows(text, placed(visual.merged), imageRows), deep: visual.deep.map(placed) };
    });
  }

  /** Normalized hidden states `[rows, hidden]` of input embeddings. */
  hidden(embeddings: InputEmbeddings, rows: TextRows, options: TextForwardOptions = {}): Tensor {
    return scope(() => textForward(this.parameters, this.config.text, embeddings, rows, options));
  }

  /** The input of every layer and, last, the normalized output, `[rows, hidden]` each: what Hugging Face calls `hidden_states`. */
  hiddenStates(embeddings: InputEmbeddings, rows: TextRows): Tensor[] {
    return scope(() => {
      const states: Tensor[] = [];
      textForward(this.parameters, this.config.text, embeddings, rows, { states });
      return states;
    });
  }

  /**
   * Log-probability and entropy `[targets]` of wanted tokens, each behind the row that predicts it; `kept`, the hidden states of those rows,
   * each once, and `rows` `[targets]` into them.
   */
  predict(
    hidden: Tensor,
    targets: Pick<PackedBatch, "targetRows" | "targetIds">,
    options: LogProbOptions = {},
  ): LogProbs & { readonly kept: Tensor; readonly rows: Int32Array } {
    const { device, head } = this;
    const wanted = Int32Array.from(new Set(targets.targetRows)).sort();
    const place = new Map(Array.from(wanted, (row, i) => [row, i]));
    const rows = Int32Array.from(targets.targetRows, (row) => place.get(row) ?? 0);
    return scope(() => {
      const kept = gatherRows(hidden, RowIndex.of(device, wanted, rowsOf(hidden)));
      return { ...logProbs(kept, head, { rows, targets: targets.targetIds }, options), kept, rows };
    });
  }

  /** Log-probability and entropy of {@link QwenVLModel.predict} alone. */
  logProbs(...given: Parameters<QwenVLModel["predict"]>): LogProbs {
    return scope(() => {
      const { logProb, entropy } = this.predict(...given);
      return { logProb, entropy };
    });
  }

  /** Whether its weights are on the device. */
  get hasWeights(): boolean {
    return this.weights.has("model.norm.weight");
  }

  /** Frees the weights, and large idle buffers beside them; the adapter stays. Weights can be set again. */
  releaseWeights(): void {
    this.weights.dispose();
    this.weights = new Weights(this.device, this.weights.dtype, []);
    this.device.trimPhase();
  }

  dispose(): void {
    this.weights.dispose();
    this.adapter?.dispose();
  }
}
