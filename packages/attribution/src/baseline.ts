// What stands for "nothing there" (docs/method.md H.2).

import { concat, gatherRows, mean, multiply, noGrad, RowIndex, reshape, scope, type Tensor } from "@iapo/tensor-core";
import { matrixShape } from "./checked.ts";
import { AttributionError } from "./error.ts";
import type { DifferentiableModel, Embedded } from "./model.ts";

/**
 * `mean`: the mean row of the embedding table; `mean_by_kind`: that for text, for an image the mean of its own rows; `pad`: the padding
 * token; `zero`: zeros, which a model with RMSNorm does not see as nothing: a path to zero changes the output only next to it, where
 * no quadrature looks, so that its use is warned about.
 */
export type Baseline = "mean" | "mean_by_kind" | "pad" | "zero";

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

function meanOfImage({ embeddings, imageOfToken }: Embedded, image: number): Tensor {
  const [tokens, width] = matrixShape(embeddings);
  const rows = Array.from(imageOfToken.keys()).filter((token) => imageOfToken[token] === image);
  return reshape(mean(gatherRows(embeddings, RowIndex.of(embeddings.device, rows, tokens)), 0), [1, width]);
}
