// A prompt and responses of given sizes, in tokens of no meaning: for plans and measurements.
import type { QwenVLConfig } from "../config/types.ts";
import {
  type EncodedImage,
  nextPositionOf,
  type PromptGroup,
  type ResponseSequence,
  type Sequence,
} from "../model/pack.ts";
import { ropePositions } from "../processor/positions.ts";
import type { ImageGrid } from "../processor/smart-resize.ts";

/** One prompt and its responses. */
export interface Workload {
  readonly promptTokens: number;
  /** Images of the prompt, in patches; their tokens come on top of `promptTokens`. */
  readonly images: readonly ImageGrid[];
  readonly responses: number;
  readonly responseTokens: number;
}

/** A workload's prompt and responses, in tokens of no meaning; every response token is a target. */
export function workloadGroup(config: QwenVLConfig, workload: Workload): PromptGroup {
  const { promptTokens, images, responses, responseTokens } = workload;
  const prompt = sequenceOf(config, promptTokens, images, 0);
  const response = {
    ...sequenceOf(config, responseTokens, [], nextPositionOf(prompt)),
    targets: new Uint8Array(responseTokens).fill(1),
  };
  return { prompt, responses: new Array<ResponseSequence>(responses).fill(response) };
}

/** Tokens of no meaning: `count` of text, then the images. */
function sequenceOf(config: QwenVLConfig, count: number, grids: readonly ImageGrid[], start: number): Sequence {
  const { vision, tokens: special } = config;
  const width = vision.inChannels * vision.patchSize ** 2;
  const images = grids.map(
    (grid, i): EncodedImage => ({
      id: `plan ${i}`,
      grid,
      frames: 1,
      values: new Float32Array(grid[0] * grid[1] * grid[2] * width),
    }),
  );
  const ids = Array.from({ length: count }, (_, i) => i % Math.min(special.image, 64));
  for (const [t, h, w] of grids)
    ids.push(...new Array<number>((t * h * w) / vision.spatialMergeSize ** 2).fill(special.image), 0);
  const tokens = Int32Array.from(ids);
  return { tokens, images, positions: ropePositions(tokens, grids, special, vision.spatialMergeSize, start).positions };
}
