// The model as attribution sees it: a prompt is computed once (or in variants), and responses are scored against its keys and values, which
// are differentiable. @iapo/attribution states the interface; this fits it. Legend: P prompt tokens, V variants, K key width, H hidden.
// A token's row is all that the model reads of it, side by side: its embedding and what is added to it behind the first layers, so that to move a
// token's row is to move the token everywhere (docs/qwen3-vl.md "Attribution"). W = H times one more than the features added later; without any, W = H.
import {
  checkpoint,
  concat,
  type Device,
  fill,
  gatherRows,
  logProbs,
  multiply,
  noGrad,
  overwriteRows,
  RowIndex,
  reshape,
  rmsNorm,
  rowSegment,
  type Segment,
  scope,
  sum,
  type Tensor,
} from "@iapo/tensor-core";
import { at, rowsOf } from "../checked.ts";
import { QwenVLError } from "../error.ts";
import type { UploadedLayout } from "../model/layout.ts";
import type { QwenVLModel } from "../model/model.ts";
import { type PackedBatch, type PromptGroup, packGroups } from "../model/pack.ts";
import { addAt, attend, feedForward } from "../model/text.ts";

/** A prompt and its responses, embedded. */
export interface EmbeddedGroup {
  /** f32 [P, W]; of text tokens the added features are zero, and get no gradient. */
  readonly embeddings: Tensor;
  /** f32 [rows, H]: prompt, response 1, ...; a response's last token has no row. */
  readonly rows: Tensor;
  readonly batch: PackedBatch;
  readonly responses: readonly ResponseRows[];
  readonly imageOfToken: Int32Array;
  readonly meanEmbedding: Tensor;
  readonly padEmbedding: Tensor | undefined;
  readonly targets: readonly number[];
  /** Rows of a pass that scores all responses to one variant. */
  readonly responseRows: number;
  dispose(): void;
}

interface ResponseRows {
  /** Its first row in the batch, and how many rows its target tokens need: none after the last target. */
  readonly start: number;
  readonly count: number;
  /** Its wanted tokens: place in the response, and id. */
  readonly targets: readonly { readonly place: number; readonly id: number }[];
}

/** A prompt from one token on. */
export interface GroupVariant {
  readonly embedded: EmbeddedGroup;
  readonly firstToken: number;
  /** f32 [P - firstToken, W]. */
  readonly rows: Tensor;
}

/** Rotated keys and values of each layer, variant behind variant, then the last prompt row of each before the last norm `[V, H]`. */
export interface GroupStates {
  /** The prompt of each. */
  readonly variants: readonly EmbeddedGroup[];
  readonly tensors: readonly Tensor[];
}

/** Rows of a pass, what they see, and which of them go on to the head. */
interface Pass {
  readonly positions: Int32Array;
  readonly segments: readonly Segment[];
  readonly kept: readonly number[];
  /** What the kept rows see, where the others need no last layer. */
  readonly keptSegments?: readonly Segment[];
  /** What is added to which rows behind the first layers; kept rows are none of them. */
  readonly added?: { readonly rows: RowIndex; readonly features: readonly Tensor[] } | undefined;
  /** From a pass's own keys, or values, of a layer to all that its segments name. */
  readonly join: (own: Tensor, layer: number, part: 0 | 1) => Tensor;
}

export interface DifferentiableOptions {
  /** Compute every feed-forward again in each backward pass instead of keeping what it saves: the same bits, less memory, more time. */
  readonly checkpoint?: boolean;
}

export class DifferentiableQwenVL {
  readonly model: QwenVLModel;
  readonly #checkpoint: boolean;

  constructor(model: QwenVLModel, { checkpoint = false }: DifferentiableOptions = {}) {
    this.model = model;
    this.#checkpoint = checkpoint;
  }

  get device(): Device {
    return this.model.device;
  }

  /** Runs the vision tower and looks the tokens up. @throws QwenVLError `positions` as `packGroups`, `prompt` for an empty prompt */
  embed(group: PromptGroup): EmbeddedGroup {
    const { model } = this;
    const H = model.config.text.hiddenSize;
    const count = group.prompt.tokens.length;
    if (count === 0) throw new QwenVLError("prompt", "an empty prompt has nothing to attribute to");
    const batch = packGroups(model.config, [group]);
    const { pad } = model.config.tokens;
    const made = noGrad(() =>
      scope(() => {
        const uploaded = model.upload(batch);
        const { rows, deep } = model.embed(uploaded);
        const sites = model.config.vision.deepstackBlocks; // also without images: all groups of a pass are equally wide
        if (sites.length > 0) expectTextBehindImages(group, model.config.tokens.image);
        const inPrompt = this.#index(batch.imageRows, count);
        const zeros = (rows: number): Tensor[] => sites.map(() => fill(model.device, [rows, H], 0));
        const added = zeros(count).map((none, k) => (deep[k] ? overwriteRows(none, deep[k], inPrompt) : none));
        const asText = (row: Tensor): Tensor => sideBySide([row, ...zeros(1)]);
        return {
          rows,
          embeddings: sideBySide([gatherRows(rows, this.#index(range(0, count), batch.tokens.length)), ...added]),
          meanEmbedding: asText(this.#meanEmbedding()),
          padEmbedding: pad === undefined ? undefined : asText(this.#tokenEmbeddings([pad])),
        };
      }),
    );
    const responses = responseRows(group);
    return {
      ...made,
      batch,
      responses,
      imageOfToken: imageOfToken(group, model.config.tokens.image, model.config.vision.spatialMergeSize),
      targets: responses.map(({ targets }) => targets.length),
      responseRows: responses.reduce((total, { count: rows }) => total + rows, 0),
      dispose: () => {
        for (const tensor of Object.values(made)) tensor?.dispose();
      },
    };
  }

  /** Variants of prompts, each from a token of its own on, in one pass; the rows before are those of the same prompt in `whole`. */
  prefill(variants: readonly GroupVariant[], whole?: GroupStates): GroupStates {
    const wholeStarts = whole && startsOf(whole.variants);
    const wholeRows = whole ? sumOf(whole.variants.map(promptRows)) : 0;
    return scope(() => {
      const positions: number[] = [];
      const images: number[] = [];
      const keyRows: number[] = [];
      const segments: Segment[] = [];
      const keptSegments: Segment[] = [];
      const kept: number[] = [];
      let rows = 0;
      variants.forEach(({ embedded, firstToken }, v) => {
        const count = promptRows(embedded);
        const start = wholeStarts?.get(embedded);
        if (start === undefined && firstToken > 0)
          throw new QwenVLError(
            "prompt",
            "variants that start after the first token need the states of the whole prompt",
          );
        const keys = { ownStart: keyRows.length, ownCount: count };
        segments.push(rowSegment(rows, count - firstToken, keys));
        keptSegments.push(rowSegment(v, 1, keys));
        for (let token = 0; token < firstToken; token++) keyRows.push((start ?? 0) + token);
        for (let token = firstToken; token < count; token++) {
          keyRows.push(wholeRows + rows);
          positions.push(...embedded.batch.positions.subarray(3 * token, 3 * token + 3));
          if (at(embedded.imageOfToken, token) >= 0) images.push(rows);
          rows += 1;
        }
        kept.push(rows - 1);
      });
      const index = whole && this.#index(keyRows, wholeRows + rows);
      const join = (own: Tensor, layer: number, part: 0 | 1): Tensor =>
        whole && index ? gatherRows(concat([at(whole.tensors, 2 * layer + part), own], 0), index) : own;
      const { rows: joinedRows, added } = this.#apart(joined(variants.map((variant) => variant.rows)), images);
      const pass = { positions: Int32Array.from(positions), segments, kept, keptSegments, join, added };
      const { states, hidden } = this.#run(joinedRows, pass);
      return { variants: variants.map(({ embedded }) => embedded), tensors: [...states, hidden] };
    });
  }

  /** Log-probs `[targets]`, variant by variant, of the `wanted` responses (default all) of its prompt, at temperature 1 over the whole vocabulary. */
  score({ variants, tensors }: GroupStates, wanted?: readonly number[]): Tensor {
    const { config, weights, head } = this.model;
    const prompts = sumOf(variants.map(promptRows));
    return scope(() => {
      const distinct = [...new Set(variants)];
      const rowStarts = startsOf(distinct, ({ rows }) => rowsOf(rows));
      const source: number[] = [];
      const positions: number[] = [];
      const segments: Segment[] = [];
      const headRows: number[] = [];
      const targetIds: number[] = [];
      const kept: number[] = [];
      let prefixStart = 0;
      variants.forEach((embedded, v) => {
        const { responses, batch } = embedded;
        const prefix = { prefixStart, prefixCount: promptRows(embedded) };
        prefixStart += prefix.prefixCount;
        for (const response of wanted ?? responses.keys()) {
          const { start, count, targets } = at(responses, response);
          const first = source.length;
          const own = { ownStart: prompts + first, ownCount: count };
          if (count > 0) segments.push(rowSegment(first, count, { ...own, ...prefix }));
          const from = (rowStarts.get(embedded) ?? 0) + start;
          source.push(...range(from, from + count));
          positions.push(...batch.positions.subarray(3 * start, 3 * (start + count)));
          for (const { place, id } of targets) {
            targetIds.push(id);
            if (place > 0) kept.push(first + place - 1);
            headRows.push(place === 0 ? v : variants.length + kept.length - 1);
          }
        }
      });
      const parts = [at(tensors, -1)];
      if (kept.length > 0) {
        const join = (own: Tensor, layer: number, part: 0 | 1): Tensor =>
          concat([at(tensors, 2 * layer + part), own], 0);
        const rows = joined(distinct.map((embedded) => embedded.rows));
        const x = gatherRows(rows, this.#index(source, rowsOf(rows)));
        parts.push(this.#run(x, { positions: Int32Array.from(positions), segments, kept, join }).hidden);
      }
      const hidden = rmsNorm(joined(parts), weights.get("model.norm.weight"), config.text.rmsNormEps);
      return logProbs(hidden, head, { rows: Int32Array.from(headRows), targets: Int32Array.from(targetIds) }).logProb;
    });
  }

  /** Embeddings [R, H] of rows [R, W], and the features of those that are an image's; from text rows nothing is read but the embedding. */
  #apart(wide: Tensor, images: readonly number[]): { rows: Tensor; added: Pass["added"] } {
    const H = this.model.config.text.hiddenSize;
    const count = rowsOf(wide);
    const sites = wide.size / (count * H);
    if (sites === 1) return { rows: wide, added: undefined };
    const flat = reshape(wide, [count * sites, H]);
    const site = (rows: readonly number[], k: number): Tensor =>
      gatherRows(
        flat,
        this.#index(
          rows.map((row) => row * sites + k),
          count * sites,
        ),
      );
    const rows = site(range(0, count), 0);
    if (images.length === 0) return { rows, added: undefined };
    const features = range(1, sites).map((k) => site(images, k));
    return { rows, added: { rows: this.#index(images, count), features } };
  }

  /** All layers. `states`: keys and values of each; `hidden`: the kept rows before the last norm. */
  #run(rows: Tensor, pass: Pass): { states: Tensor[]; hidden: Tensor } {
    const { positions, segments, kept, keptSegments, join, added } = pass;
    const { model } = this;
    const config = model.config.text;
    const layout: UploadedLayout = model.uploadText({ positions, segments });
    const keptRows = this.#index(kept, rowsOf(rows));
    const asking = keptSegments && {
      rows: keptRows,
      layout: model.uploadText({ positions: positionsOf(positions, kept), segments: keptSegments }),
    };
    const states: Tensor[] = [];
    const last = config.numHiddenLayers - 1;
    let x = rows;
    for (let layer = 0; layer <= last; layer++) {
      const input = x;
      const made = scope(() => {
        const of = { parameters: model.parameters, config, index: layer };
        const seen = (k: Tensor, v: Tensor) => [join(k, layer, 0), join(v, layer, 1)] as const;
        const queries = layer === last ? asking : undefined;
        const { attended, keys, values } = attend(of, input, layout, seen, queries);
        const needed = layer === last && !queries ? gatherRows(attended, keptRows) : attended;
        const forward = (rows: Tensor): Tensor => feedForward(of, rows);
        const output = this.#checkpoint ? checkpoint(forward, [needed]) : forward(needed);
        const features = layer < last ? added?.features[layer] : undefined;
        return { output: added && features ? addAt(output, added.rows, features) : output, keys, values };
      });
      if (layer > 0) input.dispose();
      states.push(made.keys, made.values);
      x = made.output;
    }
    return { states, hidden: x };
  }

  #index(indices: ArrayLike<number>, rows: number): RowIndex {
    return RowIndex.of(this.device, indices, rows);
  }

  #tokenEmbeddings(ids: ArrayLike<number>): Tensor {
    return gatherRows(this.model.embeddings, this.#index(ids, this.model.config.text.vocabSize));
  }

  /** In pieces, as the table may be spread over several buffers. */
  #meanEmbedding(): Tensor {
    const { vocabSize, hiddenSize } = this.model.config.text;
    const piece = 8192;
    const sums: Tensor[] = [];
    for (let at = 0; at < vocabSize; at += piece) {
      sums.push(scope(() => sum(this.#tokenEmbeddings(range(at, Math.min(vocabSize, at + piece))), 0)));
    }
    return reshape(multiply(sum(reshape(concat(sums, 0), [sums.length, hiddenSize]), 0), 1 / vocabSize), [
      1,
      hiddenSize,
    ]);
  }
}

/** Features of images in a response would have to be explained too, and those of a prompt's last row would be added where only it goes on. */
function expectTextBehindImages({ prompt, responses }: PromptGroup, imageToken: number): void {
  if (prompt.tokens.at(-1) !== imageToken && responses.every(({ images }) => images.length === 0)) return;
  throw new QwenVLError("prompt", "what is attributed needs a prompt that ends in text, and responses without images");
}

function sideBySide(parts: readonly Tensor[]): Tensor {
  return parts.length === 1 ? at(parts, 0) : concat(parts, 1);
}

function responseRows({ prompt, responses }: PromptGroup): ResponseRows[] {
  let start = prompt.tokens.length;
  return responses.map(({ tokens, targets: wanted }) => {
    const targets = Array.from(tokens, (id, place) => ({ place, id })).filter(({ place }) => wanted[place] === 1);
    const response = { start, count: targets.at(-1)?.place ?? 0, targets };
    start += Math.max(0, tokens.length - 1);
    return response;
  });
}

function imageOfToken({ prompt }: PromptGroup, imageId: number, mergeSize: number): Int32Array {
  let image = 0;
  let cell = 0;
  return prompt.tokens.map((token) => {
    if (token !== imageId) return -1;
    const [t, h, w] = at(prompt.images, image).grid;
    const shown = image;
    cell += 1;
    if (cell === (t * h * w) / mergeSize ** 2) [image, cell] = [image + 1, 0];
    return shown;
  });
}

/** Positions `[rows, 3]` of some rows. */
function positionsOf(positions: Int32Array, rows: readonly number[]): Int32Array {
  return Int32Array.from(rows.flatMap((row) => [...positions.subarray(3 * row, 3 * row + 3)]));
}

function promptRows({ embeddings }: EmbeddedGroup): number {
  return rowsOf(embeddings);
}

/** Where each of them begins, one behind the other. */
function startsOf(
  groups: readonly EmbeddedGroup[],
  rowsIn: (group: EmbeddedGroup) => number = promptRows,
): Map<EmbeddedGroup, number> {
  let start = 0;
  return new Map(
    groups.map((group) => {
      const own = start;
      start += rowsIn(group);
      return [group, own];
    }),
  );
}

function sumOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0);
}

function joined(parts: readonly Tensor[]): Tensor {
  return parts.length === 1 ? at(parts, 0) : concat(parts, 0);
}

function range(start: number, end: number): number[] {
  return Array.from({ length: end - start }, (_, i) => start + i);
}
