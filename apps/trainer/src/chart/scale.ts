// A logarithmic scale for losses.

export interface LogScale {
  readonly low: number;
  readonly high: number;
  /** Where a value lies between low (0) and high (1); at the top when it is not a number. */
  position(value: number): number;
}

/** Spans the positive values from the power of ten below to the one above. */
export function logScale(values: readonly number[]): LogScale {
  const logs = values.filter((value) => value > 0 && Number.isFinite(value)).map(Math.log10);
  const low = logs.length === 0 ? 0 : Math.floor(Math.min(...logs));
  const high = logs.length === 0 ? 1 : Math.max(low + 1, Math.ceil(Math.max(...logs)));
  return {
    low: 10 ** low,
    high: 10 ** high,
    position: (value) =>
      Number.isNaN(value) ? 1 : Math.min(1, Math.max(0, (Math.log10(Math.max(value, 10 ** low)) - low) / (high - low))),
  };
}
