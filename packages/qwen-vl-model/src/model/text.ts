// The text decoder: specs "Qwen2.5-VL", section 6. Shapes: T rows, H hidden, Q query width (heads x D), K key width (kvHeads x D).
import { add, attention, checkpoint, rmsNorm, rope, scope, siluGate, type Tensor } from "@iapo/tensor-core";
import type { TextConfig } from "../config/model-config.ts";
import type { KeyValueCache } from "../generation/cache.ts";
import type { UploadedLayout } from "./layout.ts";
import { type ModelParameters, project } from "./linear.ts";

export interface TextForwardOptions {
  /** Keys and values are written to, and read from, this cache. */
  readonly cache?: KeyValueCache;
  /** Save only each layer's input and compute the layer again in the backward pass. */
  readonly checkpoint?: boolean;
  /** Receives the input of each layer and, last, the normalised output. */
  readonly states?: Tensor[];
}

/** Embeddings `[T, H]` to normalised hidden states `[T, H]`. */
export function textForward(
  parameters: ModelParameters,
  config: TextConfig,
  embeddings: Tensor,
  layout: UploadedLayout,
  options: TextForwardOptions = {},
): Tensor {
  let x_TH = embeddings;
  for (let layer = 0; layer < config.numHiddenLayers; layer++) {
    options.states?.push(x_TH);
    const run = (x: Tensor): Tensor => textLayer(parameters, config, layer, x, layout, options.cache);
    const input = x_TH;
    x_TH = options.checkpoint ? checkpoint(run, [input]) : scope(() => run(input));
    if (layer > 0 && !options.states) input.dispose();
  }
  const out = rmsNorm(x_TH, parameters.weights.get("model.norm.weight"), config.rmsNormEps);
  options.states?.push(out);
  return out;
}

function textLayer(
  parameters: ModelParameters,
  config: TextConfig,
  index: number,
  x_TH: Tensor,
  layout: UploadedLayout,
  cache: KeyValueCache | undefined,
): Tensor {
  const { weights } = parameters;
  const name = `model.layers.${index}`;
  const { headDim, numAttentionHeads: heads, numKeyValueHeads: kvHeads, rmsNormEps } = config;
  const attended_TH = scope(() => {
    const n_TH = rmsNorm(x_TH, weights.get(`${name}.input_layernorm.weight`), rmsNormEps);
    const q_TQ = rope(project(parameters, `${name}.self_attn.q_proj`, n_TH), layout.cos, layout.sin);
    let k_TK = rope(project(parameters, `${name}.self_attn.k_proj`, n_TH), layout.cos, layout.sin);
    let v_TK = project(parameters, `${name}.self_attn.v_proj`, n_TH);
    if (cache) [k_TK, v_TK] = cache.write(index, k_TK, v_TK);
    const a_TQ = attention(q_TQ, k_TK, v_TK, layout.segments, { heads, kvHeads, headDim, scale: headDim ** -0.5 });
    return add(x_TH, project(parameters, `${name}.self_attn.o_proj`, a_TQ));
  });
  const n_TH = rmsNorm(attended_TH, weights.get(`${name}.post_attention_layernorm.weight`), rmsNormEps);
  const gate = project(parameters, `${name}.mlp.gate_proj`, n_TH);
  const up = project(parameters, `${name}.mlp.up_proj`, n_TH);
  return add(attended_TH, project(parameters, `${name}.mlp.down_proj`, siluGate(gate, up)));
}
