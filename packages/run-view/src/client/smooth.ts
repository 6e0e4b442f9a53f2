// Smoothing of a curve.

/**
 * The exponential moving average, less its bias towards the zero it begins from: `m = weight m + (1 - weight) y`, divided by `1 - weight^n`
 * (Kingma and Ba 2015, section 3). Gaps stay.
 * @param weight from 0, as given, to below 1
 */
export function smoothed(values: readonly (number | null)[], weight: number): (number | null)[] {
  if (weight <= 0) return [...values];
  let [mean, rest] = [0, 1];
  return values.map((value) => {
    if (value === null) return null;
    mean = weight * mean + (1 - weight) * value;
    rest *= weight;
    return mean / (1 - rest);
  });
}
