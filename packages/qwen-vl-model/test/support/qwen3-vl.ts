// The Qwen3-VL models of the oracle (fixtures/qwen3-vl), whose weights are a formula, with sequences from its ids.
import { fileURLToPath } from "node:url";
import type { Device } from "@iapo/tensor-core";
import type { QwenVLConfig } from "../../src/config/types.ts";
import { type KnownConfigName, knownConfigs } from "../../src/config.ts";
import { QwenVLModel } from "../../src/model/model.ts";
import type { EncodedImage, Sequence } from "../../src/model/pack.ts";
import type { ImageGrid } from "../../src/processor/smart-resize.ts";
import { byToken } from "./by-token.ts";
import type { Golden } from "./golden.ts";
import { type ProceduralOptions, proceduralPixels, proceduralWeights, smallRangeOf } from "./procedural.ts";

export const qwen3Directory: string = fileURLToPath(new URL("../fixtures/qwen3-vl/", import.meta.url));

export async function proceduralModel(
  device: Device,
  config: QwenVLConfig | KnownConfigName,
  options: ProceduralOptions = {},
): Promise<QwenVLModel> {
  const known = typeof config === "string" ? knownConfigs[config] : config;
  const weights = await proceduralWeights(device, known, { dtype: "f32", ranges: smallRangeOf, ...options });
  return new QwenVLModel(known, weights);
}

/** The still images of a case: one frame stands for two. */
export function imagesOf({ vision }: QwenVLConfig, golden: Golden, prefix: string): EncodedImage[] {
  const grids = golden(`${prefix}.grids`).values;
  const width = 3 * vision.patchSize ** 2;
  const all = Array.from(
    { length: grids.length / 3 },
    (_, i): ImageGrid => [grids[3 * i]!, grids[3 * i + 1]!, grids[3 * i + 2]!],
  );
  const patches = all.reduce((sum, [, h, w]) => sum + h * w, 0);
  const values = proceduralPixels(patches * width, `${prefix.split(".").at(-1)}.pixels`);
  let start = 0;
  return all.map((grid, i) => {
    const end = start + grid[1] * grid[2] * width;
    const image = { id: `${prefix}.${i}`, grid, frames: 1, values: values.slice(start, end) };
    start = end;
    return image;
  });
}

export function sequenceOf(config: QwenVLConfig, golden: Golden, prefix: string): Sequence {
  return {
    tokens: Int32Array.from(golden(`${prefix}.input_ids`).values),
    positions: byToken(Int32Array.from(golden(`${prefix}.position_ids`).values)),
    images: imagesOf(config, golden, prefix),
  };
}

/** A row of a left-padded case, without its padding. */
export function paddedRow(config: QwenVLConfig, golden: Golden, prefix: string, row: number): Sequence {
  const { shape, values } = golden(`${prefix}.input_ids`);
  const [rows = 0, length = 0] = shape;
  const mask = golden(`${prefix}.attention_mask`).values;
  const kept = Array.from({ length }, (_, i) => i).filter((i) => mask[row * length + i] === 1);
  const positions = golden(`${prefix}.position_ids`).values;
  return {
    tokens: Int32Array.from(kept, (i) => values[row * length + i]!),
    positions: Int32Array.from(
      kept.flatMap((i) => [0, 1, 2].map((axis) => positions[(axis * rows + row) * length + i]!)),
    ),
    images: imagesOf(config, golden, prefix).slice(row, row + 1),
  };
}
