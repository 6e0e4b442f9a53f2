// Made-up groups of any size: one prompt with an image, responses behind it, each with an edited image where that is asked for.
import type { QwenVLConfig } from "../../src/config/types.ts";
import type { EncodedImage, PromptGroup, ResponseSequence, Sequence } from "../../src/model/pack.ts";
import { joinSequences } from "../../src/model/response.ts";
import { ropePositions } from "../../src/processor/positions.ts";
import type { ImageGrid } from "../../src/processor/smart-resize.ts";

export interface GroupShape {
  /** Tokens of the prompt, those of its image included. */
  readonly prompt: number;
  /** Sampled tokens of each response. */
  readonly response: number;
  readonly responses: number;
  /** Patches of the prompt's image. */
  readonly image?: ImageGrid;
  /** Patches of an edited image that stands in the middle of each response. */
  readonly edited?: ImageGrid;
}

/** Ids from here on are words. */
const FIRST_WORD = 10;

export function groupOf(config: QwenVLConfig, shape: GroupShape): PromptGroup {
  const image = shape.image && imageOf(config, shape.image, "image");
  const words = shape.prompt - (image ? cellsOf(config, image) : 0);
  const prompt = sequenceOf(config, words, image, 0, 0);
  const responses = Array.from({ length: shape.responses }, (_, i) => responseOf(config, shape, i, next(prompt)));
  return { prompt, responses };
}

/** The same responses, each behind a prompt of its own; nothing is shared, not even the prompt's image. */
export function unshared({ prompt, responses }: PromptGroup): PromptGroup[] {
  return responses.map((response, i) => ({
    prompt: { ...prompt, images: prompt.images.map((image) => ({ ...image, id: `${image.id} of ${i}` })) },
    responses: [response],
  }));
}

function responseOf(config: QwenVLConfig, shape: GroupShape, index: number, start: number): ResponseSequence {
  if (!shape.edited) {
    return joinSequences([{ ...sequenceOf(config, shape.response, undefined, start, index + 1), target: true }]);
  }
  const half = Math.floor(shape.response / 2);
  const first = sequenceOf(config, half, undefined, start, index + 1);
  const observation = sequenceOf(config, 0, imageOf(config, shape.edited, `edited ${index}`), next(first), 0);
  const second = sequenceOf(config, shape.response - half, undefined, next(observation), index + 1);
  return joinSequences([
    { ...first, target: true },
    { ...observation, target: false },
    { ...second, target: true },
  ]);
}

/** `words` tokens of text, then the image's. */
function sequenceOf(
  config: QwenVLConfig,
  words: number,
  image: EncodedImage | undefined,
  start: number,
  variant: number,
): Sequence {
  const { tokens: special, text, vision } = config;
  const range = text.vocabSize - FIRST_WORD;
  const ids = Array.from({ length: words }, (_, i) => FIRST_WORD + ((i * 37 + variant * 101 + start) % range));
  if (image) ids.push(...new Array<number>(cellsOf(config, image)).fill(special.image));
  const tokens = Int32Array.from(ids);
  const grids = image ? [image.grid] : [];
  const { positions } = ropePositions(tokens, grids, special, vision.spatialMergeSize, start);
  return { tokens, positions, images: image ? [image] : [] };
}

/** Smooth patches that depend on the name. */
function imageOf({ vision }: QwenVLConfig, grid: ImageGrid, id: string): EncodedImage {
  const width = vision.inChannels * vision.temporalPatchSize * vision.patchSize ** 2;
  const values = new Float32Array(grid[0] * grid[1] * grid[2] * width);
  const phase = [...id].reduce((sum, letter) => sum + letter.charCodeAt(0), 0);
  for (let i = 0; i < values.length; i++) values[i] = Math.sin(0.37 * i + phase);
  return { id, grid, frames: vision.temporalPatchSize, values };
}

function cellsOf({ vision }: QwenVLConfig, { grid: [t, h, w] }: EncodedImage): number {
  return (t * h * w) / vision.spatialMergeSize ** 2;
}

function next({ positions }: Sequence): number {
  return positions.reduce((largest, position) => Math.max(largest, position), -1) + 1;
}
