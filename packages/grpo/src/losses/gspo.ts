// GSPO: the clipped surrogate of the response's ratio.
import { clipped } from "./clipped.ts";
import { defineLoss } from "./define.ts";

/**
 * The derivative is that of the token form `sg[s] pi / sg[pi]`: equal to that of s wherever the tokens of a response weigh the same.
 */
export const gspo = defineLoss({
  ...clipped,
  kind: "gspo",
  formula: "the same of the response's ratio `s = exp(mean_t log rho_t)`",
  source: "Zheng et al. 2025 (docs/method.md D.3)",
  preset: { clip: { low: 3e-4, high: 4e-4 }, dualClip: undefined, aggregation: "sequence" },
  level: "sequence",
});
