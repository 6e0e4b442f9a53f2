// The nano model of the oracle, with batches built straight from its ids and pixel values.
import { fileURLToPath } from "node:url";
import type { Device } from "@iapo/tensor-core";
import { loadConfig } from "../../src/config.ts";
import { QwenVLModel } from "../../src/model/model.ts";
import type { EncodedImage, Sequence } from "../../src/model/pack.ts";
import type { ImageGrid } from "../../src/processor/smart-resize.ts";
import { type LoadWeightsOptions, loadWeights } from "../../src/weights/load.ts";
import type { Golden } from "./golden.ts";

export const nanoDirectory: string = fileURLToPath(new URL("../fixtures/model-nano/", import.meta.url));

export async function loadNano(device: Device, options: LoadWeightsOptions = {}): Promise<QwenVLModel> {
  const config = await loadConfig(nanoDirectory);
  return new QwenVLModel(config, await loadWeights(device, config, nanoDirectory, options));
}

/** The images of a case, in order. */
export function imagesOf(golden: Golden, name: string): EncodedImage[] {
  const grids = golden(`${name}.image_grid_thw`).values;
  const { shape, values } = golden(`${name}.pixel_values`);
  let row = 0;
  return Array.from({ length: grids.length / 3 }, (_, i) => {
    const grid: ImageGrid = [grids[i * 3]!, grids[i * 3 + 1]!, grids[i * 3 + 2]!];
    const rows = grid[0] * grid[1] * grid[2];
    const slice = values.slice(row * shape[1]!, (row + rows) * shape[1]!);
    row += rows;
    return { id: `${name}.${i}`, grid, frames: 2, values: slice };
  });
}

/** One row of a case without its padding. */
export function sequenceOf(golden: Golden, name: string, row: number, images: readonly EncodedImage[]): Sequence {
  const { shape, values } = golden(`${name}.input_ids`);
  const length = shape[1]!;
  const mask = golden(`${name}.attention_mask`).values;
  const kept = Array.from({ length }, (_, i) => i).filter((i) => mask[row * length + i] === 1);
  const positions = golden(`${name}.position_ids`).values;
  const batch = shape[0]!;
  return {
    tokens: Int32Array.from(kept, (i) => values[row * length + i]!),
    positions: Int32Array.from(
      kept.flatMap((i) => [0, 1, 2].map((axis) => positions[(axis * batch + row) * length + i]!)),
    ),
    images,
  };
}
