// The vision tower of Qwen2.5-VL: docs/qwen2.5-vl.md section 3. Shapes: P patches of all images, E hidden.
import {
  checkpoint,
  gatherRows,
  gelu,
  RowIndex,
  reshape,
  rmsNorm,
  type Segments,
  scope,
  type Tensor,
  withTag,
} from "@iapo/tensor-core";
import { rowsOf } from "../../checked.ts";
import { gatedUp, type ModelParameters, project, projectOnto } from "../../model/linear.ts";
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
import type { Qwen25VisionConfig } from "./config.ts";
import { visionLayout } from "./window-layout.ts";

interface UploadedWindows extends UploadedVision {
  readonly windows: Segments;
  readonly images: Segments;
  /** Merged cells in window order, and back in image order. */
  readonly windowOrder: RowIndex;
  readonly imageOrder: RowIndex;
}

export const qwen25Tower: Tower<Qwen25VisionConfig, UploadedWindows> = {
  upload: (device, config, input) => {
    const layout = visionLayout(config, input.grids);
    const cells = layout.windowOrder.length;
    const order = (places: Int32Array) => withTag("layout", () => RowIndex.of(device, places, cells));
    return owned({
      ...uploadPatches(device, config, input, layout),
      windows: segmentsOf(device, layout.windowStarts),
      images: segmentsOf(device, layout.imageStarts),
      windowOrder: order(layout.windowOrder),
      imageOrder: order(layout.imageOrder),
    });
  },

  forward: (parameters, config, input, options) =>
    scope(() => {
      // No bias, no position: the rotary table carries it. Cells are put in window order once, and back at the end.
      const patches = rowsOf(input.pixels);
      const cellPatches = config.spatialMergeSize ** 2;
      const cellShape = [patches / cellPatches, cellPatches * config.hiddenSize];
      const embedded = embedPatches(parameters, config, input.pixels);
      const ordered = gatherRows(reshape(embedded, cellShape), input.windowOrder);
      let x_PE = reshape(ordered, [patches, config.hiddenSize]);
      for (let block = 0; block < config.depth; block++) {
        const segments = config.fullAttentionBlocks.includes(block) ? input.images : input.windows;
        const run = (x: Tensor): Tensor => visionBlock(parameters, config, block, x, input, segments);
        const before = x_PE;
        x_PE = options.checkpoint ? checkpoint(run, [before]) : scope(() => run(before));
        before.dispose();
      }
      const normed = rmsNorm(x_PE, parameters.weights.get("visual.merger.ln_q.weight"), config.normEps);
      const hidden = gelu(project(parameters, "visual.merger.mlp.0", reshape(normed, cellShape)));
      return { merged: gatherRows(project(parameters, "visual.merger.mlp.2", hidden), input.imageOrder), deep: [] };
    }),
};

function visionBlock(
  parameters: ModelParameters,
  config: Qwen25VisionConfig,
  index: number,
  x_PE: Tensor,
  patches: UploadedPatches,
  segments: Segments,
): Tensor {
  const { weights } = parameters;
  const name = `visual.blocks.${index}`;
  const attended_PE = scope(() => {
    const n_PE = rmsNorm(x_PE, weights.get(`${name}.norm1.weight`), config.normEps);
    return blockAttention(parameters, config, name, n_PE, x_PE, patches, segments);
  });
  const n_PE = rmsNorm(attended_PE, weights.get(`${name}.norm2.weight`), config.normEps);
  return projectOnto(parameters, `${name}.mlp.down_proj`, gatedUp(parameters, `${name}.mlp`, n_PE), attended_PE);
}
