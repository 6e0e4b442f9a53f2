// F16 as checkpoints hold it, widened exactly: every half is a float.

/** By pattern; filled at the first use. */
let table: Float32Array<ArrayBuffer> | undefined;

/** The values of IEEE half-precision patterns. */
export function fromF16(patterns: Uint16Array): Float32Array<ArrayBuffer> {
  table ??= Float32Array.from({ length: 2 ** 16 }, (_, pattern) => numberOf(pattern));
  const values = table;
  return Float32Array.from(patterns, (pattern) => values[pattern] ?? Number.NaN);
}

function numberOf(pattern: number): number {
  const sign = pattern >>> 15 ? -1 : 1;
  const exponent = (pattern >>> 10) & 31;
  const fraction = pattern & 1023;
  if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return exponent === 0 ? sign * fraction * 2 ** -24 : sign * (1024 + fraction) * 2 ** (exponent - 25);
}
