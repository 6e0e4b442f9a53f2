// The vision tower: docs/qwen2.5-vl.md section 3. Shapes: P patches of all images, E hidden, M merged cells (P / 4), H text hidden.
import {
  add,
  attention,
  checkpoint,
  type Device,
  gatherRows,
  gelu,
  linear,
  RowIndex,
  reshape,
  rmsNorm,
  rope,
  rowSegment,
  Segments,
  scope,
  siluGate,
  split,
  type Tensor,
  withTag,
} from "@iapo/tensor-core";
import type { VisionConfig } from "../config/model-config.ts";
import { type ImageGrid, visionLayout } from "../processor/vision-layout.ts";
import { frameSum } from "./frames.ts";
import { type ModelParameters, project } from "./linear.ts";

/** Images ready for the tower: patches in processor order, all images one after another. */
export interface VisionInput {
  /** `[P, channels * frames * patch * patch]`, row-major; of images that stand still `[P, channels * patch * patch]`. */
  readonly patches: Float32Array;
  readonly grids: readonly ImageGrid[];
}

/** Images and their layout on the device; they must outlive the backward pass. */
export interface UploadedVision {
  readonly pixels: Tensor;
  readonly cos: Tensor;
  readonly sin: Tensor;
  readonly windows: Segments;
  readonly images: Segments;
  /** Merged cells in window order, and back in image order. */
  readonly windowOrder: RowIndex;
  readonly imageOrder: RowIndex;
}

/** Uploads images; the caller (or its scope) disposes what is returned. */
export function uploadVision(device: Device, config: VisionConfig, input: VisionInput): UploadedVision {
  const layout = visionLayout(config, input.grids);
  const half = config.headDim / 2;
  const patches = layout.cos.length / half;
  const cells = patches / config.spatialMergeSize ** 2;
  return withTag("layout", () => ({
    pixels: device.tensor(input.patches, [patches, input.patches.length / patches]),
    cos: device.tensor(layout.cos, [patches, half]),
    sin: device.tensor(layout.sin, [patches, half]),
    windows: segmentsOf(device, layout.windowStarts),
    images: segmentsOf(device, layout.imageStarts),
    windowOrder: RowIndex.of(device, layout.windowOrder, cells),
    imageOrder: RowIndex.of(device, layout.imageOrder, cells),
  }));
}

/** Merged image rows `[M, H]`, image after image, each row-major over its cells. */
export function visionForward(
  parameters: ModelParameters,
  config: VisionConfig,
  input: UploadedVision,
  options: { readonly checkpoint?: boolean } = {},
): Tensor {
  const { weights } = parameters;
  const [patches = 0, pixelWidth = 0] = input.pixels.shape;
  const cellPatches = config.spatialMergeSize ** 2;
  const cellShape = [patches / cellPatches, cellPatches * config.hiddenSize];
  return scope(() => {
    // No bias, no position: the rotary table carries it. Cells are put in window order once, and back at the end.
    const embedding = weights.get("visual.patch_embed.proj.weight");
    const isStill = pixelWidth * config.temporalPatchSize * config.hiddenSize === embedding.size;
    const embedded = linear(input.pixels, isStill ? frameSum(embedding, config) : embedding);
    const ordered = gatherRows(reshape(embedded, cellShape), input.windowOrder);
    let x_PE = reshape(ordered, [patches, config.hiddenSize]);
    for (let block = 0; block < config.depth; block++) {
      const segments = config.fullAttentionBlocks.includes(block) ? input.images : input.windows;
      const run = (x: Tensor): Tensor => visionBlock(parameters, config, block, x, input, segments);
      const before = x_PE;
      x_PE = options.checkpoint ? checkpoint(run, [before]) : scope(() => run(before));
      before.dispose();
    }
    const normed = rmsNorm(x_PE, weights.get("visual.merger.ln_q.weight"), config.rmsNormEps);
    const hidden = gelu(project(parameters, "visual.merger.mlp.0", reshape(normed, cellShape)));
    return gatherRows(project(parameters, "visual.merger.mlp.2", hidden), input.imageOrder);
  });
}

function visionBlock(
  parameters: ModelParameters,
  config: VisionConfig,
  index: number,
  x_PE: Tensor,
  layout: UploadedVision,
  segments: Segments,
): Tensor {
  const { weights } = parameters;
  const name = `visual.blocks.${index}`;
  const { hiddenSize: width, numHeads: heads, headDim, rmsNormEps } = config;
  const attended_PE = scope(() => {
    const n_PE = rmsNorm(x_PE, weights.get(`${name}.norm1.weight`), rmsNormEps);
    const qkv = project(parameters, `${name}.attn.qkv`, n_PE);
    const [q, k, v] = split(qkv, 1, [width, width, width]) as [Tensor, Tensor, Tensor];
    const turned = (rows: Tensor): Tensor => rope(rows, layout.cos, layout.sin);
    const options = { heads, kvHeads: heads, headDim, scale: headDim ** -0.5 };
    const a_PE = attention(turned(q), turned(k), v, segments, options);
    return add(x_PE, project(parameters, `${name}.attn.proj`, a_PE));
  });
  const n_PE = rmsNorm(attended_PE, weights.get(`${name}.norm2.weight`), rmsNormEps);
  const gate = project(parameters, `${name}.mlp.gate_proj`, n_PE);
  const up = project(parameters, `${name}.mlp.up_proj`, n_PE);
  return add(attended_PE, project(parameters, `${name}.mlp.down_proj`, siluGate(gate, up)));
}

/** Full attention within each run of rows; `starts` are cumulative, beginning with 0 and ending with all rows. */
function segmentsOf(device: Device, starts: Int32Array): Segments {
  const ends = starts.subarray(1);
  const segments = Array.from(ends, (end, i) => {
    const start = starts[i] ?? 0;
    return rowSegment(start, end - start, { causal: false });
  });
  return Segments.of(device, segments);
}
