// Made-up groups, and the plain way to their attributions: one ordinary pass per response, nothing shared.
import {
  type DifferentiableQwenVL,
  type EncodedImage,
  type PromptGroup,
  packGroups,
  type QwenVLModel,
  type ResponseSequence,
} from "@iapo/qwen-vl-model";
import type { QwenVLConfig } from "@iapo/qwen-vl-model/config";
import { gatherRows, noGrad, overwriteRows, RowIndex, record, scope, sum, type Tensor } from "@iapo/tensor-core";

export interface GroupShape {
  /** Words of the prompt, before and after each image. */
  readonly words: number;
  readonly images: number;
  /** Patches of each image. */
  readonly grid: readonly [number, number, number];
  /** Tokens of each response. */
  readonly responses: readonly number[];
}

const firstWord = 10;

/** A prompt that begins with words; images lie between stretches of words. */
export function groupOf({ text, tokens, vision }: QwenVLConfig, shape: GroupShape): PromptGroup {
  const { words, images: imageCount, grid } = shape;
  const word = (i: number): number => firstWord + ((i * 37) % (text.vocabSize - firstWord));
  const ids: number[] = [];
  const positions: number[] = [];
  const stretch = Math.ceil(words / (imageCount + 1));
  const [, height, width] = [grid[0], grid[1] / vision.spatialMergeSize, grid[2] / vision.spatialMergeSize];
  let next = 0;
  for (let part = 0; part <= imageCount; part++) {
    for (let i = 0; i < stretch; i++, next++) {
      ids.push(word(ids.length));
      positions.push(next, next, next);
    }
    if (part === imageCount) break;
    for (let cell = 0; cell < height * width; cell++) {
      ids.push(tokens.image);
      positions.push(next, next + Math.floor(cell / width), next + (cell % width));
    }
    next += Math.max(height, width);
  }
  const images = Array.from({ length: imageCount }, (_, k) => imageOf(vision, grid, k));
  const responses = shape.responses.map((length, variant): ResponseSequence => {
    const axis = Array.from({ length }, (_, i) => next + i);
    return {
      tokens: Int32Array.from(axis, (_, i) => word(i + 101 * (variant + 1))),
      positions: Int32Array.from(axis.flatMap((position) => [position, position, position])),
      images: [],
      targets: Uint8Array.from(axis, (_, i) => Number(i % 4 !== 1)),
    };
  });
  const prompt = { tokens: Int32Array.from(ids), positions: Int32Array.from(positions), images };
  return { prompt, responses };
}

function imageOf(vision: QwenVLConfig["vision"], grid: readonly [number, number, number], k: number): EncodedImage {
  const patches = grid[0] * grid[1] * grid[2];
  const size = patches * vision.inChannels * vision.temporalPatchSize * vision.patchSize ** 2;
  const values = Float32Array.from({ length: size }, (_, i) => Math.sin(0.37 * i + k));
  return { id: `image ${k}`, grid, frames: vision.temporalPatchSize, values };
}

/** Splits a prompt's tokens into units of equal length. */
export function evenPartition({ prompt }: PromptGroup, units: number): { names: string[]; unitOfToken: Int16Array } {
  const size = Math.ceil(prompt.tokens.length / units);
  return {
    names: Array.from({ length: units }, (_, unit) => `unit ${unit}`),
    unitOfToken: Int16Array.from(prompt.tokens, (_, token) => Math.floor(token / size)),
  };
}

/** Gradient x embedding (dot) of one response by an ordinary packed pass, and its score. */
export async function plainGradient(model: QwenVLModel, group: PromptGroup, response: number) {
  const batch = packGroups(model.config, [{ ...group, responses: [group.responses[response]!] }]);
  const uploaded = model.upload(batch);
  const { rows, gradient, score } = scope(() => {
    const rows = noGrad(() => model.embed(uploaded).rows);
    const recorded = record([rows], () =>
      scope(() => sum(model.logProbs(model.hidden({ rows, deep: [] }, uploaded), batch).logProb)),
    );
    return { rows, score: recorded.value, gradient: recorded.backward(recorded.value)[0]! };
  });
  model.release(uploaded);
  const [x, g] = [await rows.values(), await gradient.values()];
  const width = rows.shape[1]!;
  for (const tensor of [rows, gradient, score]) tensor.dispose();
  const tokenScores = Float64Array.from(group.prompt.tokens, (_, token) => {
    let total = 0;
    for (let i = token * width; i < (token + 1) * width; i++) total += x[i]! * g[i]!;
    return total;
  });
  return { tokenScores };
}

/** The score of one response, optionally with some prompt rows replaced, by an ordinary packed pass. */
export async function plainScore(
  model: QwenVLModel,
  group: PromptGroup,
  response: number,
  replaced?: { readonly tokens: readonly number[]; readonly rows: Tensor },
): Promise<number> {
  const batch = packGroups(model.config, [{ ...group, responses: [group.responses[response]!] }]);
  const uploaded = model.upload(batch);
  using logProbs = noGrad(() =>
    scope(() => {
      const whole = model.embed(uploaded).rows;
      const index = replaced && RowIndex.of(model.device, replaced.tokens, whole.shape[0]!);
      const rows = index ? overwriteRows(whole, replaced.rows, index) : whole;
      return model.logProbs(model.hidden({ rows, deep: [] }, uploaded), batch).logProb;
    }),
  );
  model.release(uploaded);
  let total = 0;
  for (const value of await logProbs.values()) total += value;
  return total;
}

/** The padding token's embedding, `count` times. */
export function padRows({ model: { device, config, embeddings } }: DifferentiableQwenVL, count: number): Tensor {
  const ids = new Int32Array(count).fill(config.tokens.pad!);
  return scope(() => gatherRows(embeddings, RowIndex.of(device, ids, config.text.vocabSize)));
}
