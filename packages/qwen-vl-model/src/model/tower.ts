// What a vision tower is, and the pieces that towers share. Shapes: P patches of all images, E hidden, M merged cells, H text hidden.
import {
  attention,
  type Device,
  linear,
  ropeHeads,
  rowSegment,
  Segments,
  type Tensor,
  withTag,
} from "@iapo/tensor-core";
import type { VisionConfig } from "../config/types.ts";
import type { RotaryTables } from "../processor/rotary.ts";
import type { ImageGrid } from "../processor/smart-resize.ts";
import { frameSum } from "./frames.ts";
import { type ModelParameters, project, projectOnto } from "./linear.ts";

/** Images ready for the tower: patches in processor order, all images one after another. */
export interface VisionInput {
  /** `[P, channels * frames * patch * patch]`, row-major; of images that stand still `[P, channels * patch * patch]`. */
  readonly patches: Float32Array;
  readonly grids: readonly ImageGrid[];
}

/** Patches `[P, ...]` and the rotary tables `[P, D / 2]` of their rows. */
export interface UploadedPatches {
  readonly pixels: Tensor;
  readonly cos: Tensor;
  readonly sin: Tensor;
}

/** Images and their layout on the device, as a tower has put them there; they must outlive the backward pass. */
export interface UploadedVision extends UploadedPatches {
  dispose(): void;
}

/** What a tower gives of its images, image after image, each row-major over its cells. */
export interface VisionFeatures {
  /** `[M, H]`: they stand for the image's tokens. */
  readonly merged: Tensor;
  /** `[M, H]` each, one per entry of `deepstackBlocks`: added to the same rows behind the decoder's first layers. */
  readonly deep: readonly Tensor[];
}

export interface TowerOptions {
  /** Save only each block's input and compute the block again in the backward pass. */
  readonly checkpoint?: boolean;
}

export interface Tower<Vision extends VisionConfig = VisionConfig, Uploaded extends UploadedVision = UploadedVision> {
  /** The caller (or its scope) disposes what is returned. */
  upload(device: Device, config: Vision, input: VisionInput): Uploaded;
  forward(parameters: ModelParameters, config: Vision, input: Uploaded, options: TowerOptions): VisionFeatures;
}

/** Parts that are disposed together. */
export function owned<Parts extends object>(
  parts: Parts & Readonly<Record<keyof Parts, { dispose(): void }>>,
): Parts & { dispose(): void } {
  const dispose = (): void => {
    for (const part of Object.values<{ dispose(): void }>(parts)) part.dispose();
  };
  return { ...parts, dispose };
}

export function uploadPatches(
  device: Device,
  config: VisionConfig,
  { patches }: VisionInput,
  { cos, sin }: RotaryTables,
): UploadedPatches {
  const half = config.headDim / 2;
  const count = cos.length / half;
  return withTag("layout", () => ({
    pixels: device.tensor(patches, [count, patches.length / count]),
    cos: device.tensor(cos, [count, half]),
    sin: device.tensor(sin, [count, half]),
  }));
}

/** The embedding `[P, E]` of patches, still or not, without bias. */
export function embedPatches({ weights }: ModelParameters, config: VisionConfig, pixels: Tensor): Tensor {
  const { temporalPatchSize, hiddenSize } = config;
  const weight = weights.get("visual.patch_embed.proj.weight");
  const isStill = (pixels.shape[1] ?? 0) * temporalPatchSize * hiddenSize === weight.size;
  return linear(pixels, isStill ? frameSum(weight, config) : weight);
}

/** `x_PE` and the attention of one block over its normalized rows `[P, E]`, added: projections, rotation of queries and keys, both ways within each segment. */
export function blockAttention(
  parameters: ModelParameters,
  { numHeads: heads, headDim }: VisionConfig,
  block: string,
  n_PE: Tensor,
  x_PE: Tensor,
  { cos, sin }: UploadedPatches,
  segments: Segments,
): Tensor {
  const qkv = project(parameters, `${block}.attn.qkv`, n_PE);
  const counts = { heads, kvHeads: heads };
  const [q, k, v] = ropeHeads(qkv, cos, sin, counts);
  const a_PE = attention(q, k, v, segments, { ...counts, headDim, scale: headDim ** -0.5 });
  return projectOnto(parameters, `${block}.attn.proj`, a_PE, x_PE);
}

/** Full attention within each run of rows; `starts` are cumulative, beginning with 0 and ending with all rows. */
export function segmentsOf(device: Device, starts: Int32Array): Segments {
  const ends = starts.subarray(1);
  const segments = Array.from(ends, (end, i) => {
    const start = starts[i] ?? 0;
    return rowSegment(start, end - start, { causal: false });
  });
  return withTag("layout", () => Segments.of(device, segments));
}
