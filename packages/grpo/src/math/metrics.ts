// What the ratios of an update say, under the field's names (docs/method.md C.3).
import { at, checkLength, maskedMean, type Numbers, type TokenBatch } from "./batch.ts";
import { logRatios, maximumLogRatio } from "./ratios.ts";
import type { ClipRange } from "./surrogates.ts";

export interface RatioMetrics {
  /** `actor/ppo_kl`: mean of old minus new log-prob, in nats a token. */
  readonly approximateKl: number;
  /** `actor/pg_clipfrac`: share of the tokens whose clipped term is the larger one. */
  readonly clipFraction: number;
  /** `actor/pg_clipfrac_lower`: share of the tokens at which the dual clip holds. */
  readonly dualClipFraction: number;
}

/**
 * Metrics of the clipped surrogate; `level` is whose ratio the loss takes, `dual` its bound for A < 0.
 * @throws GrpoError `shape`
 */
export function ratioMetrics(
  batch: TokenBatch,
  advantages: Numbers,
  { low, high, dual = Number.POSITIVE_INFINITY }: ClipRange & { readonly dual?: number | undefined },
  level: "token" | "sequence" = "token",
): RatioMetrics {
  checkLength("advantages", advantages, batch.mask.length);
  const ratios = logRatios(batch, level).map((logRatio) => Math.exp(Math.min(logRatio, maximumLogRatio)));
  const bounded = ratios.map((ratio) => Math.min(Math.max(ratio, 1 - low), 1 + high));
  const clipped = ratios.map((ratio, token) =>
    Number(-at(advantages, token) * at(bounded, token) > -at(advantages, token) * ratio),
  );
  const dualClipped = ratios.map((ratio, token) =>
    Number(at(advantages, token) < 0 && Math.max(ratio, at(bounded, token)) > dual),
  );
  return {
    approximateKl: -maskedMean(batch.mask, logRatios(batch, "token")),
    clipFraction: maskedMean(batch.mask, clipped),
    dualClipFraction: maskedMean(batch.mask, dualClipped),
  };
}
