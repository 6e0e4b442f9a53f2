// The vision tower of Qwen3-VL: docs/qwen3-vl.md section 3. Shapes: P patches of all images, E hidden, C a merged cell's width.
import {
  add,
  checkpoint,
  gatherRows,
  gelu,
  geluTanh,
  layerNorm,
  multiply,
  RowIndex,
  reshape,
  type Segments,
  scope,
  split,
  type Tensor,
  withTag,
} from "@iapo/tensor-core";
import { rowsOf } from "../../checked.ts";
import { type ModelParameters, project, projectOnto } from "../../model/linear.ts";
import {
  blockAttention,
  embedPatches,
  owned,
  segmentsOf,
  type Tower,
  type UploadedPatches,
  type UploadedVision,
  uploadPatches,
} from "../../model/tower.ts";
import type { Qwen3VisionConfig } from "./config.ts";
import { positionLayout } from "./position-layout.ts";

interface UploadedPositions extends UploadedVision {
  readonly images: Segments;
  /** Rows of the position table, the four corners one after another `[4 P]`, and what they count `[4 P, 1]`. */
  readonly corners: RowIndex;
  readonly cornerWeights: Tensor;
}

export const qwen3Tower: Tower<Qwen3VisionConfig, UploadedPositions> = {
  upload: (device, config, input) => {
    const layout = positionLayout(config, input.grids);
    const corners = Int32Array.from(layout.taps.flatMap(({ rows }) => [...rows]));
    const weights = Float32Array.from(layout.taps.flatMap(({ weights }) => [...weights]));
    return owned({
      ...uploadPatches(device, config, input, layout),
      images: segmentsOf(device, layout.imageStarts),
      corners: withTag("layout", () => RowIndex.of(device, corners, config.positionSide ** 2)),
      cornerWeights: withTag("layout", () => device.tensor(weights, [weights.length, 1])),
    });
  },

  forward: (parameters, config, input, options) =>
    scope(() => {
      const { weights } = parameters;
      const embedded = embedPatches(parameters, config, input.pixels);
      const biased = add(embedded, weights.get("visual.patch_embed.proj.bias"));
      let x_PE = add(
        biased,
        scope(() => positions(weights.get("visual.pos_embed.weight"), input)),
      );
      const deep: Tensor[] = [];
      for (let block = 0; block < config.depth; block++) {
        const run = (x: Tensor): Tensor => visionBlock(parameters, config, block, x, input);
        const before = x_PE;
        x_PE = options.checkpoint ? checkpoint(run, [before]) : scope(() => run(before));
        before.dispose();
        const k = config.deepstackBlocks.indexOf(block);
        const tapped = x_PE;
        if (k >= 0) deep.push(scope(() => deepMerger(parameters, config, k, tapped)));
      }
      return { merged: merger(parameters, config, x_PE), deep };
    }),
};

/** The learned position `[P, E]` of each patch: the table between its four nearest entries. */
function positions(table: Tensor, { corners, cornerWeights, pixels }: UploadedPositions): Tensor {
  const count = rowsOf(pixels);
  const weighted = multiply(gatherRows(table, corners), cornerWeights);
  return split(weighted, 0, [count, count, count, count]).reduce((sum, corner) => add(sum, corner));
}

function visionBlock(
  parameters: ModelParameters,
  config: Qwen3VisionConfig,
  index: number,
  x_PE: Tensor,
  input: UploadedPatches & Pick<UploadedPositions, "images">,
): Tensor {
  const name = `visual.blocks.${index}`;
  const attended_PE = scope(() => {
    const n_PE = normalized(parameters, config, `${name}.norm1`, x_PE);
    return blockAttention(parameters, config, name, n_PE, x_PE, input, input.images);
  });
  const n_PE = normalized(parameters, config, `${name}.norm2`, attended_PE);
  const hidden = geluTanh(project(parameters, `${name}.mlp.linear_fc1`, n_PE));
  return projectOnto(parameters, `${name}.mlp.linear_fc2`, hidden, attended_PE);
}

function normalized({ weights }: ModelParameters, config: Qwen3VisionConfig, name: string, x: Tensor): Tensor {
  return layerNorm(x, weights.get(`${name}.weight`), weights.get(`${name}.bias`), config.normEps);
}

/** The four patches of a cell side by side, `[M, C]`. */
function cells({ hiddenSize, spatialMergeSize }: Qwen3VisionConfig, x_PE: Tensor): Tensor {
  const patches = spatialMergeSize ** 2;
  return reshape(x_PE, [rowsOf(x_PE) / patches, patches * hiddenSize]);
}

/** Normalizes patches, then puts them side by side. */
function merger(parameters: ModelParameters, config: Qwen3VisionConfig, x_PE: Tensor): Tensor {
  const n_MC = cells(config, normalized(parameters, config, "visual.merger.norm", x_PE));
  return merged(parameters, "visual.merger", n_MC);
}

/** Puts patches side by side, then normalizes cells. */
function deepMerger(parameters: ModelParameters, config: Qwen3VisionConfig, k: number, x_PE: Tensor): Tensor {
  const name = `visual.deepstack_merger_list.${k}`;
  return merged(parameters, name, normalized(parameters, config, `${name}.norm`, cells(config, x_PE)));
}

function merged(parameters: ModelParameters, name: string, n_MC: Tensor): Tensor {
  const hidden = gelu(project(parameters, `${name}.linear_fc1`, n_MC));
  return project(parameters, `${name}.linear_fc2`, hidden);
}
