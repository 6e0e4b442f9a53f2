// The text decoder: docs/qwen2.5-vl.md section 6. Shapes: T rows, H hidden, Q query width (heads x D), K key width (kvHeads x D).
import {
  add,
  attention,
  checkpoint,
  gatherRows,
  overwriteRows,
  type RowIndex,
  reshape,
  rmsNorm,
  rope,
  ropeHeads,
  scope,
  type Tensor,
} from "@iapo/tensor-core";
import type { TextConfig } from "../config/types.ts";
import type { KeyValueCache } from "../generation/cache.ts";
import type { UploadedLayout } from "./layout.ts";
import { gatedUp, type ModelParameters, project, projectOnto, projectTogether } from "./linear.ts";
import { layerTogether } from "./text-together.ts";

export interface TextForwardOptions {
  /** Keys and values are written to, and read from, this cache. */
  readonly cache?: KeyValueCache;
  /** Save only each layer's input and compute the layer again in the backward pass. */
  readonly checkpoint?: boolean;
  /** Receives the input of each layer and, last, the normalized output. */
  readonly states?: Tensor[];
}

/** What goes into the decoder. */
export interface InputEmbeddings {
  /** `[T, H]`. */
  readonly rows: Tensor;
  /** `[image rows, H]` each: the k-th is added to the image rows behind layer k. */
  readonly deep: readonly Tensor[];
}

/** Embeddings to normalized hidden states `[T, H]`. */
export function textForward(
  parameters: ModelParameters,
  config: TextConfig,
  { rows, deep }: InputEmbeddings,
  { layout, imageRows }: TextRows,
  options: TextForwardOptions = {},
): Tensor {
  let x_TH = rows;
  for (let layer = 0; layer < config.numHiddenLayers; layer++) {
    options.states?.push(x_TH);
    const run = (x: Tensor): Tensor => textLayer({ parameters, config, index: layer }, x, layout, options.cache);
    const input = x_TH;
    x_TH = options.checkpoint ? checkpoint(run, [input]) : scope(() => run(input));
    if (layer > 0 && !options.states) input.dispose();
    const features = deep[layer];
    if (features && imageRows) {
      const before = x_TH;
      x_TH = scope(() => addAt(before, imageRows, features));
      before.dispose();
    }
  }
  const out = rmsNorm(x_TH, parameters.weights.get("model.norm.weight"), config.rmsNormEps);
  options.states?.push(out);
  return out;
}

/** Rows of one pass, and which of them are an image's. */
export interface TextRows {
  readonly layout: UploadedLayout;
  readonly imageRows?: RowIndex | undefined;
}

/** `x` with `features` added to its rows `index`. */
export function addAt(x: Tensor, index: RowIndex, features: Tensor): Tensor {
  return overwriteRows(x, add(gatherRows(x, index), features), index);
}

/** A layer of the decoder: its weights, by its number. */
export interface TextLayer {
  readonly parameters: ModelParameters;
  readonly config: TextConfig;
  readonly index: number;
}

function textLayer(layer: TextLayer, x_TH: Tensor, layout: UploadedLayout, cache: KeyValueCache | undefined): Tensor {
  const together = cache && layerTogether(layer, x_TH, layout, cache);
  if (together) return together;
  const seen = cache && ((k: Tensor, v: Tensor) => cache.write(layer.index, k, v));
  return feedForward(
    layer,
    scope(() => attend(layer, x_TH, layout, seen).attended),
  );
}

/** What the first half of a layer gives: its output and the keys and values `[keys, K]` that its queries saw. */
export interface Attended {
  readonly attended: Tensor;
  readonly keys: Tensor;
  readonly values: Tensor;
}

/** The rows that ask: their places among the rows of a layer, and their own layout. */
export interface Queries {
  readonly rows: RowIndex;
  readonly layout: UploadedLayout;
}

/**
 * The attention half of a layer. `seen` turns these rows' keys and values `[T, K]` into all that the layout's segments name. With
 * `queries`, those rows alone ask and are given back; keys and values are still those of all rows.
 */
export function attend(
  { parameters, config, index }: TextLayer,
  x_TH: Tensor,
  layout: UploadedLayout,
  seen: (keys: Tensor, values: Tensor) => readonly [keys: Tensor, values: Tensor] = (k, v) => [k, v],
  queries?: Queries,
): Attended {
  const { weights } = parameters;
  const name = `model.layers.${index}`;
  const { headDim, numAttentionHeads: heads, numKeyValueHeads: kvHeads, rmsNormEps } = config;
  const n_TH = rmsNorm(x_TH, weights.get(`${name}.input_layernorm.weight`), rmsNormEps);
  const asking = (rows: Tensor): Tensor => (queries ? gatherRows(rows, queries.rows) : rows);
  const { cos, sin, segments } = queries?.layout ?? layout;
  /** Rows of heads `[T, heads x D]`, each head normalized where the model does so. */
  const normed = (x: Tensor, norm: string): Tensor => {
    if (!config.qkNorm) return x;
    const perHead = reshape(x, [x.size / headDim, headDim]);
    return reshape(rmsNorm(perHead, weights.get(`${name}.self_attn.${norm}.weight`), rmsNormEps), x.shape);
  };
  const [q, k, v] = (["q", "k", "v"] as const).map((part) => `${name}.self_attn.${part}_proj`) as [
    string,
    string,
    string,
  ];
  const apart = (): readonly [Tensor, Tensor, Tensor] => [
    rope(normed(project(parameters, q, asking(n_TH)), "q_norm"), cos, sin),
    rope(normed(project(parameters, k, n_TH), "k_norm"), layout.cos, layout.sin),
    project(parameters, v, n_TH),
  ];
  const together = config.qkNorm || queries ? undefined : projectTogether(parameters, [q, k, v], n_TH);
  const [q_TQ, k_TK, v_TK] = together ? ropeHeads(together, cos, sin, { heads, kvHeads }) : apart();
  const [keys, values] = seen(k_TK, v_TK);
  const a_TQ = attention(q_TQ, keys, values, segments, { heads, kvHeads, headDim, scale: headDim ** -0.5 });
  return { attended: projectOnto(parameters, `${name}.self_attn.o_proj`, a_TQ, asking(x_TH)), keys, values };
}

/** The other half of a layer. */
export function feedForward({ parameters, config, index }: TextLayer, attended_TH: Tensor): Tensor {
  const name = `model.layers.${index}`;
  const norm = parameters.weights.get(`${name}.post_attention_layernorm.weight`);
  const n_TH = rmsNorm(attended_TH, norm, config.rmsNormEps);
  return projectOnto(parameters, `${name}.mlp.down_proj`, gatedUp(parameters, `${name}.mlp`, n_TH), attended_TH);
}
