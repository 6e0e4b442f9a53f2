// What stands for "nothing there" (docs/method.md H.2).

import {
  add,
  concat,
  gatherRows,
  mean,
  multiply,
  noGrad,
  overwriteRows,
  RowIndex,
  reshape,
  scope,
  type Tensor,
} from "@iapo/tensor-core";
import { matrixShape } from "./checked.ts";
import { AttributionError } from "./error.ts";
import type { DifferentiableModel, Embedded } from "./model.ts";

/**
 * `mean`: the mean row of the embedding table; `mean_by_kind`: that for text, for an image the mean of its own rows; `pad`: the padding
 * token; `zero`: zeros, which a model with RMSNorm does not see as nothing: a path to zero changes the output only next to it, where
 * no quadrature looks, so that its use is warned about.
 */
export type Baseline = "mean" | "mean_by_kind" | "pad" | "zero";

/**
 * Of occlusion of several prompts at once: text as for `mean`; an image becomes that of the next prompt (`other_image`), or the mean of those of
 * all others, place by place (`mean_image`). The mean of an image's own rows still tells what kind of image it is; these do not.
 */
export type BatchBaseline = "other_image" | "mean_image";

export function isBatchBaseline(baseline: Baseline | BatchBaseline): baseline is BatchBaseline {
  return baseline === "other_image" || baseline === "mean_image";
}

/** A baseline row for each prompt token, `[promptTokens, width]`. @throws AttributionError `baseline` where the model has no padding token */
export function baselineRows(model: DifferentiableModel<never>, embedded: Embedded, baseline: Baseline): Tensor {
  const { embeddings, imageOfToken, meanEmbedding, padEmbedding } = embedded;
  const { device } = model;
  const [tokens] = matrixShape(embeddings);
  if (baseline === "zero") {
    device.warn("attribution: with a zero baseline, integrated gradients of a model with RMSNorm are ill-conditioned");
  }
  return noGrad(() =>
    scope(() => {
      const everywhere = (row: Tensor): Tensor => gatherRows(row, RowIndex.of(device, new Int32Array(tokens), 1));
      switch (baseline) {
        case "mean":
          return everywhere(meanEmbedding);
        case "zero":
          return everywhere(multiply(meanEmbedding, 0));
        case "pad":
          if (!padEmbedding) {
            throw new AttributionError("baseline", "the model has no padding token: use the baseline mean_by_kind");
          }
          return everywhere(padEmbedding);
        case "mean_by_kind": {
          const images = imageOfToken.reduce((most, image) => Math.max(most, image), -1) + 1;
          const means = Array.from({ length: images }, (_, image) => meanOfImage(embedded, image));
          const kinds = concat([meanEmbedding, ...means], 0);
          const kindOfToken = imageOfToken.map((image) => image + 1);
          return gatherRows(kinds, RowIndex.of(device, kindOfToken, means.length + 1));
        }
        default:
          throw new AttributionError("argument", `no baseline is called ${String(baseline)}`);
      }
    }),
  );
}

/** The rows of a prompt's first image, `[imageTokens, width]`; undefined where it has none. On no tape; the caller disposes them. */
export function imageRows({ embeddings, imageOfToken }: Embedded): Tensor | undefined {
  const rows = tokensOfImage(imageOfToken, 0);
  if (rows.length === 0) return undefined;
  const [tokens] = matrixShape(embeddings);
  return noGrad(() => scope(() => gatherRows(embeddings, RowIndex.of(embeddings.device, rows, tokens))));
}

/**
 * Baseline rows `[promptTokens, width]` with images of other prompts, of which at least one is needed where there is an image. Where an image has
 * more rows or fewer, they are taken from the same share of the way.
 */
export function batchBaselineRows(
  { embeddings, imageOfToken, meanEmbedding }: Embedded,
  others: readonly Tensor[],
): Tensor {
  const images = imageOfToken.reduce((most, image) => Math.max(most, image), -1) + 1;
  if (images > 0 && others.length === 0)
    throw new AttributionError(
      "baseline",
      "a baseline of other images needs another prompt with an image beside this one",
    );
  const { device } = embeddings;
  const [tokens] = matrixShape(embeddings);
  return noGrad(() =>
    scope(() => {
      let rows = gatherRows(meanEmbedding, RowIndex.of(device, new Int32Array(tokens), 1));
      for (let image = 0; image < images; image++) {
        const own = tokensOfImage(imageOfToken, image);
        const shown = others.map((other) => stretched(other, own.length)).reduce((sum, one) => add(sum, one));
        rows = overwriteRows(rows, multiply(shown, 1 / others.length), RowIndex.of(device, own, tokens));
      }
      return rows;
    }),
  );
}

/** `count` rows of an image, from the same share of the way each. */
function stretched(image: Tensor, count: number): Tensor {
  const [rows] = matrixShape(image);
  const places = Int32Array.from({ length: count }, (_, i) => Math.floor((i * rows) / count));
  return gatherRows(image, RowIndex.of(image.device, places, rows));
}

function tokensOfImage(imageOfToken: Int32Array, image: number): number[] {
  return Array.from(imageOfToken.keys()).filter((token) => imageOfToken[token] === image);
}

function meanOfImage({ embeddings, imageOfToken }: Embedded, image: number): Tensor {
  const [tokens, width] = matrixShape(embeddings);
  const rows = tokensOfImage(imageOfToken, image);
  return reshape(mean(gatherRows(embeddings, RowIndex.of(embeddings.device, rows, tokens)), 0), [1, width]);
}
