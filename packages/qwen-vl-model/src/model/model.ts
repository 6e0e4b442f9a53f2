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
import type { QwenVLConfig } from "../config/model-config.ts";
import type { Adapter } from "../lora/adapter.ts";
import { Weights } from "../weights/weights.ts";
import { type TextLayout, type UploadedLayout, uploadTextLayout } from "./layout.ts";
import type { ModelParameters } from "./linear.ts";
import type { PackedBatch } from "./pack.ts";
import { type TextForwardOptions, textForward } from "./text.ts";
import { type UploadedVision, uploadVision, visionForward } from "./vision.ts";

/** A packed batch on the device. Dispose it after the backward pass. */
export interface UploadedBatch {
  readonly batch: PackedBatch;
  readonly tokens: RowIndex;
  readonly layout: UploadedLayout;
  readonly vision: UploadedVision | undefined;
  readonly imageRows: RowIndex | undefined;
  readonly imageSources: RowIndex | undefined;
}

/** Qwen2.5-VL on a device. The object holds no activations: every method returns what it makes. */
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
      vision: images && uploadVision(device, config.vision, images),
      imageRows: images && withTag("layout", () => RowIndex.of(device, batch.imageRows, batch.tokens.length)),
      imageSources: images && withTag("layout", () => RowIndex.of(device, batch.imageSources, sources)),
    }));
  }

  /** Frees what `upload` made. */
  release({ tokens, layout, vision, imageRows, imageSources }: UploadedBatch): void {
    const { pixels, windows, images, windowOrder, imageOrder } = vision ?? {};
    const parts = [
      tokens,
      layout.cos,
      layout.sin,
      layout.segments,
      vision?.cos,
      vision?.sin,
      pixels,
      windows,
      images,
      windowOrder,
      imageOrder,
    ];
    for (const part of [...parts, imageRows, imageSources]) part?.dispose();
  }

  /** The vision tower's rows `[merged cells, hidden]` of the batch's distinct images; undefined where there are none. */
  vision({ vision }: UploadedBatch, options: { readonly checkpoint?: boolean } = {}): Tensor | undefined {
    return vision && visionForward(this.parameters, this.config.vision, vision, options);
  }

  /** Uploads a layout of text rows alone. */
  uploadText(layout: TextLayout): UploadedLayout {
    return uploadTextLayout(this.device, this.config.text, layout);
  }

  /** Token embeddings `[rows, hidden]` of ids on the device; not differentiable. */
  embedTokens(ids: Tensor): Tensor {
    return lookupRows(this.embeddings, ids);
  }

  /** Merged input embeddings `[rows, hidden]`: token embeddings, image rows in their places. */
  embed(uploaded: UploadedBatch, options: { readonly checkpoint?: boolean } = {}): Tensor {
    const { imageRows, imageSources } = uploaded;
    return scope(() => {
      const text = gatherRows(this.embeddings, uploaded.tokens);
      const visual = this.vision(uploaded, options);
      if (!visual || !imageRows || !imageSources) return text;
      return overwriteRows(text, gatherRows(visual, imageSources), imageRows);
    });
  }

  /** Normalized hidden states `[rows, hidden]` of merged embeddings. */
  hidden(
    embeddings: Tensor,
    { layout }: { readonly layout: UploadedLayout },
    options: TextForwardOptions = {},
  ): Tensor {
    return scope(() => textForward(this.parameters, this.config.text, embeddings, layout, options));
  }

  /** The input of every layer and, last, the normalized output, `[rows, hidden]` each: what Hugging Face calls `hidden_states`. */
  hiddenStates(embeddings: Tensor, { layout }: { readonly layout: UploadedLayout }): Tensor[] {
    return scope(() => {
      const states: Tensor[] = [];
      textForward(this.parameters, this.config.text, embeddings, layout, { states });
      return states;
    });
  }

  /** Log-probability and entropy `[targets]` of wanted tokens, each behind the row that predicts it. */
  logProbs(
    hidden: Tensor,
    targets: Pick<PackedBatch, "targetRows" | "targetIds">,
    options: LogProbOptions = {},
  ): LogProbs {
    const { device, head } = this;
    const wanted = Int32Array.from(new Set(targets.targetRows)).sort();
    const place = new Map(Array.from(wanted, (row, i) => [row, i]));
    const rows = targets.targetRows.map((row) => place.get(row) ?? 0);
    return scope(() => {
      const kept = gatherRows(hidden, RowIndex.of(device, wanted, rowsOf(hidden)));
      return logProbs(kept, head, { rows, targets: targets.targetIds }, options);
    });
  }

  /** Whether its weights are on the device. */
  get hasWeights(): boolean {
    return this.weights.has("model.norm.weight");
  }

  /** Frees the weights and the idle buffers beside them; the adapter stays. Weights can be set again. */
  releaseWeights(): void {
    this.weights.dispose();
    this.weights = new Weights(this.device, this.weights.dtype, []);
    this.device.trim();
  }

  dispose(): void {
    this.weights.dispose();
    this.adapter?.dispose();
  }
}
