// From signed block scores to a distribution over blocks (docs/method.md F7).
import { AttributionError } from "../error.ts";
import type { Numbers } from "./token-scores.ts";

/**
 * `absL1`: |s| / sum |s|, scale free, without the sign; `signedL1`: the same over twice as many entries, those above 0 of every unit and then those
 * below, so that a sign is a place of its own; `relu`: max(s, 0) / their sum; `softmax`: of s / temperature, which depends on the
 * scale of the scores; `softmax_z`: of z-scores (population deviation) / temperature.
 */
export type Normalizer = "absL1" | "signedL1" | "relu" | "softmax" | "softmax_z";

export interface DistributionOptions {
  /** Default `absL1`. */
  readonly normalizer?: Normalizer;
  /** Divides what a softmax takes; default 1. */
  readonly temperature?: number;
  /** `a` in p <- (1 - a) p + a / K; bounds a KL divergence by ln(K / a). Default 0.001. */
  readonly smoothing?: number;
}

/**
 * A distribution `[units]`, `[2 units]` for `signedL1`, that sums to 1. Where nothing is left to normalize (all scores 0, or for `relu` none above 0) it is uniform.
 * @throws AttributionError `argument` for scores that are not finite, for none, and for options out of range
 */
export function distribution(scores: Numbers, options: DistributionOptions = {}): Float64Array {
  const { normalizer = "absL1", temperature = 1, smoothing = 1e-3 } = options;
  const values = Float64Array.from(scores);
  if (values.length === 0 || !values.every(Number.isFinite)) {
    throw new AttributionError("argument", `scores must be finite numbers, at least one, not [${[...values]}]`);
  }
  if (!(temperature > 0 && smoothing >= 0 && smoothing <= 1)) {
    throw new AttributionError(
      "argument",
      `temperature is above 0 and smoothing in 0 to 1, not ${temperature}, ${smoothing}`,
    );
  }
  const weights = weightsOf(values, normalizer, temperature);
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const count = weights.length;
  return weights.map((weight) => (1 - smoothing) * (total > 0 ? weight / total : 1 / count) + smoothing / count);
}

function weightsOf(scores: Float64Array, normalizer: Normalizer, temperature: number): Float64Array {
  switch (normalizer) {
    case "absL1":
      return scaled(scores.map(Math.abs));
    case "signedL1":
      return scaled(Float64Array.of(...scores, ...scores.map((score) => -score)).map((score) => Math.max(score, 0)));
    case "relu":
      return scaled(scores.map((score) => Math.max(score, 0)));
    case "softmax":
      return exponentials(scores, temperature);
    case "softmax_z":
      return exponentials(zScores(scores), temperature);
    default:
      throw new AttributionError("argument", `no normalizer is called ${String(normalizer)}`);
  }
}

/** Over the largest, so that sums of very large or very small scores stay finite and above 0. */
function scaled(weights: Float64Array): Float64Array {
  const largest = weights.reduce((most, weight) => Math.max(most, weight), 0);
  return largest > 0 ? weights.map((weight) => weight / largest) : weights;
}

function exponentials(scores: Float64Array, temperature: number): Float64Array {
  const largest = scores.reduce((most, score) => Math.max(most, score), Number.NEGATIVE_INFINITY);
  return scores.map((score) => Math.exp((score - largest) / temperature));
}

function zScores(scores: Float64Array): Float64Array {
  const mean = scores.reduce((sum, score) => sum + score, 0) / scores.length;
  const deviation = Math.sqrt(scores.reduce((sum, score) => sum + (score - mean) ** 2, 0) / scores.length);
  return scores.map((score) => (deviation > 0 ? (score - mean) / deviation : 0));
}
