// The bootstrap (Efron 1979): how far a number would move if other units of the same kind had been drawn.
import { deriveSeed, randomWords, type SeedPart, uniformOf } from "@iapo/tensor-core";

/** How often each unit was drawn in each of the resamples: `[replicates][units]`. */
export type Resamples = readonly Uint16Array[];

/** A 95 % percentile interval. */
export type Interval = readonly [low: number, high: number];

/**
 * Units drawn with replacement, as many as there are; the same for the same seed, so numbers that are compared can share them.
 * @param seed parts that name what is drawn
 */
export function resample(units: number, replicates: number, ...seed: readonly SeedPart[]): Resamples {
  return Array.from({ length: replicates }, (_, replicate) => {
    const times = new Uint16Array(units);
    for (const word of randomWords(units, deriveSeed(...seed, replicate))) {
      const unit = Math.floor(uniformOf(word) * units);
      times[unit] = (times[unit] ?? 0) + 1;
    }
    return times;
  });
}

/**
 * The interval of a statistic over resamples of its units.
 * @param statistic of units that count so many times; null for draws of which it is no number
 * @returns null where it is a number of no resample
 */
export function bootstrap(resamples: Resamples, statistic: (times: Uint16Array) => number | null): Interval | null {
  const values = resamples.map(statistic).filter((value) => value !== null);
  if (values.length === 0) return null;
  const ascending = Float64Array.from(values).sort();
  return [quantile(ascending, 0.025), quantile(ascending, 0.975)];
}

/** Linear between neighbors. */
function quantile(ascending: Float64Array, share: number): number {
  const place = share * (ascending.length - 1);
  const [low = Number.NaN, high = low] = [ascending[Math.floor(place)], ascending[Math.ceil(place)]];
  return low + (high - low) * (place - Math.floor(place));
}
