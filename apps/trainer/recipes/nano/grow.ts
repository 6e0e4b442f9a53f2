// A larger model that begins as a smaller one: wider, with more heads and a further layer, and the same outputs. What is new reads
// with random weights and writes with zeros, so that nothing changes at first and everything new gets a gradient.
import { initializeWeights, type QwenVLModel, type Weights } from "@iapo/qwen-vl-model";
import type { QwenVLConfig } from "@iapo/qwen-vl-model/config";
import type { Device, Seed, Tensor } from "@iapo/tensor-core";

/** 2.4 million parameters: twice the width and heads of the nano models, a text layer more. */
export function largeConfig(config: QwenVLConfig): QwenVLConfig {
  const { text, vision } = config;
  const hiddenSize = 2 * text.hiddenSize;
  return {
    ...config,
    text: {
      ...text,
      hiddenSize,
      numHiddenLayers: text.numHiddenLayers + 1,
      numAttentionHeads: 2 * text.numAttentionHeads,
      numKeyValueHeads: 2 * text.numKeyValueHeads,
      intermediateSize: 2 * text.intermediateSize,
    },
    vision: {
      ...vision,
      hiddenSize: 2 * vision.hiddenSize,
      numHeads: 2 * vision.numHeads,
      intermediateSize: 2 * vision.intermediateSize,
      outHiddenSize: hiddenSize,
    },
  };
}

/** What adds to the residual streams of text and vision. */
const writesResidual = /(embed_tokens|patch_embed\.proj|attn\.proj|o_proj|down_proj|merger\.mlp\.2)\.weight$/;

/** Trainable f32 weights of `config` that compute what `small` computes, but for rounding and for the share of the norms' epsilon, which doubles. */
export async function grownWeights(
  device: Device,
  small: QwenVLModel,
  config: QwenVLConfig,
  seed: Seed,
): Promise<Weights> {
  const grown = initializeWeights(device, config, seed, { trainable: () => true, deviation: "fan_in" });
  for (const { name, run } of grown) {
    const old = small.weights.has(name) ? small.weights.get(name) : undefined;
    const values = (await run.values()) as Float32Array;
    if (writesResidual.test(name)) values.fill(0);
    if (old) await place(name, old, run, values, small.config);
    run.write(values);
  }
  return grown;
}

/** Writes the old values over the new ones, where the old units lie in the larger tensor. */
async function place(
  name: string,
  old: Tensor,
  run: Tensor,
  values: Float32Array,
  { vision }: QwenVLConfig,
): Promise<void> {
  const [rows, columns = 1] = old.shape as [number, number?];
  const [newRows, newColumns = 1] = run.shape as [number, number?];
  // Query, key and value are blocks of rows of one matrix; a merged cell's patches are blocks of columns.
  const rowBlock = name.includes("attn.qkv") ? vision.hiddenSize : rows;
  const columnBlock = name.includes("merger.mlp.0") ? vision.hiddenSize : columns;
  const source = (await old.values()) as Float32Array;
  // Half of a widened residual stream is zero, which raises what normalization makes of the other half.
  const factor = /norm|ln_q/.test(name) ? Math.sqrt(rows / newRows) : 1;
  const at = (i: number, block: number, count: number, newCount: number): number =>
    Math.floor(i / block) * ((newCount * block) / count) + (i % block);
  for (let row = 0; row < rows; row++)
    for (let column = 0; column < columns; column++) {
      const to = at(row, rowBlock, rows, newRows) * newColumns + at(column, columnBlock, columns, newColumns);
      values[to] = factor * source[row * columns + column]!;
    }
}
