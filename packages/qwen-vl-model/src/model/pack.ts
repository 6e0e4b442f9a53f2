// Packs prompts and responses behind them into one pass without padding: a group's prompt stands once, its responses attend to it.
import { rowSegment, type Segment } from "@iapo/tensor-core";
import type { QwenVLConfig, VisionConfig } from "../config/types.ts";
import { QwenVLError } from "../error.ts";
import { repeatFrames } from "../processor/frames.ts";
import type { ImagePatches } from "../processor/image.ts";
import type { VisionInput } from "./tower.ts";

/** Patches with a name: equal names mean equal patches, which go through the vision tower once. */
export interface EncodedImage extends ImagePatches {
  readonly id: string;
}

/** A stretch of tokens as the processor made it. */
export interface Sequence {
  readonly tokens: Int32Array;
  /** `[tokens, 3]` flattened: time, height, width of each token. */
  readonly positions: Int32Array;
  /** In the order of their image-pad runs. */
  readonly images: readonly EncodedImage[];
}

/** The position of the token that would come next: one more than the largest on any axis. */
export function nextPositionOf({ positions }: Pick<Sequence, "positions">): number {
  return positions.reduce((largest, position) => Math.max(largest, position), -1) + 1;
}

/** What follows a prompt: sampled turns with the observations between them. */
export interface ResponseSequence extends Sequence {
  /** 1 for tokens whose log-probability is wanted (sampled tokens), 0 for the rest (observations). */
  readonly targets: Uint8Array;
}

export interface PromptGroup {
  readonly prompt: Sequence;
  readonly responses: readonly ResponseSequence[];
}

/** One pass over several groups. */
export interface PackedBatch {
  readonly tokens: Int32Array;
  /** `[rows, 3]` flattened. */
  readonly positions: Int32Array;
  readonly segments: readonly Segment[];
  /** Distinct images, or undefined where there are none. */
  readonly vision: VisionInput | undefined;
  /** Rows that hold an image token, and for each the row of the vision tower's output that it takes. */
  readonly imageRows: Int32Array;
  readonly imageSources: Int32Array;
  /** For each wanted token, group by group, response by response: the row that predicts it, and its id. */
  readonly targetRows: Int32Array;
  readonly targetIds: Int32Array;
  /** First target of each response, in order, and the number of all targets at the end. */
  readonly responseStarts: Int32Array;
}

/**
 * Lays groups out: prompt, response 1, ..., response n, next prompt. The last prompt row predicts the first token of each response. A
 * response's last token predicts nothing and gets no row. Throws `positions` where tokens, positions or images do not belong together.
 */
export function packGroups(config: QwenVLConfig, groups: readonly PromptGroup[]): PackedBatch {
  const rows = new RowBuilder(config);
  const segments: Segment[] = [];
  const targetRows: number[] = [];
  const targetIds: number[] = [];
  const responseStarts = [0];
  for (const { prompt, responses } of groups) {
    const promptStart = rows.add(prompt, prompt.tokens.length);
    const promptCount = rows.count - promptStart;
    segments.push(rowSegment(promptStart, promptCount));
    for (const response of responses) {
      const { tokens, targets } = response;
      const start = rows.add(response, Math.max(0, tokens.length - 1));
      const count = rows.count - start;
      if (count > 0) segments.push(rowSegment(start, count, { prefixStart: promptStart, prefixCount: promptCount }));
      tokens.forEach((id, i) => {
        if (!targets[i]) return;
        targetRows.push(i === 0 ? promptStart + promptCount - 1 : start + i - 1);
        targetIds.push(id);
      });
      responseStarts.push(targetIds.length);
    }
  }
  return {
    ...rows.finish(),
    segments,
    targetRows: Int32Array.from(targetRows),
    targetIds: Int32Array.from(targetIds),
    responseStarts: Int32Array.from(responseStarts),
  };
}

/** Collects rows with their positions and images. */
export class RowBuilder {
  readonly #config: QwenVLConfig;
  readonly #tokens: number[] = [];
  readonly #positions: number[] = [];
  readonly #images = new Map<string, { image: EncodedImage; start: number }>();
  readonly #imageRows: number[] = [];
  readonly #imageSources: number[] = [];
  #visualRows = 0;

  constructor(config: QwenVLConfig) {
    this.#config = config;
  }

  get count(): number {
    return this.#tokens.length;
  }

  /** Appends the first `count` tokens of a sequence; returns their first row. */
  add(sequence: Sequence, count: number): number {
    const { tokens, positions, images } = sequence;
    if (positions.length !== tokens.length * 3) {
      throw new QwenVLError("positions", `${tokens.length} tokens came with ${positions.length / 3} positions`);
    }
    const start = this.count;
    const sources = images.flatMap((image) => this.#rowsOf(image));
    let seen = 0;
    for (const position of positions.subarray(0, 3 * count)) this.#positions.push(position);
    for (const token of tokens.subarray(0, count)) {
      if (token === this.#config.tokens.image) {
        const source = sources[seen++];
        if (source === undefined) throw new QwenVLError("positions", "there are more image tokens than image rows");
        this.#imageRows.push(this.count);
        this.#imageSources.push(source);
      }
      this.#tokens.push(token);
    }
    if (count === tokens.length && seen !== sources.length) {
      throw new QwenVLError("positions", `${sources.length} image rows came with ${seen} image tokens`);
    }
    return start;
  }

  finish(): Pick<PackedBatch, "tokens" | "positions" | "vision" | "imageRows" | "imageSources"> {
    return {
      tokens: Int32Array.from(this.#tokens),
      positions: Int32Array.from(this.#positions),
      vision:
        this.#images.size > 0
          ? joinImages(
              [...this.#images.values()].map(({ image }) => image),
              this.#config.vision,
            )
          : undefined,
      imageRows: Int32Array.from(this.#imageRows),
      imageSources: Int32Array.from(this.#imageSources),
    };
  }

  /** Rows of the vision tower's output; an image that was seen before shares them. */
  #rowsOf(image: EncodedImage): number[] {
    const [t, h, w] = image.grid;
    const cells = (t * h * w) / this.#config.vision.spatialMergeSize ** 2;
    let known = this.#images.get(image.id);
    if (!known) {
      known = { image, start: this.#visualRows };
      this.#images.set(image.id, known);
      this.#visualRows += cells;
    }
    const { start } = known;
    return Array.from({ length: cells }, (_, i) => start + i);
  }
}

/** One frame where all images are still, else all frames of each. */
function joinImages(images: readonly EncodedImage[], config: VisionConfig): VisionInput {
  const frames = Math.max(...images.map((image) => image.frames));
  const parts = images.map((image) => repeatFrames(image, frames, config.patchSize ** 2));
  const patches = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    patches.set(part, at);
    at += part.length;
  }
  return { patches, grids: images.map((image) => image.grid) };
}
