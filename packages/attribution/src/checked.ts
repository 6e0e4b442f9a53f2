// Reading numbers that the caller has made sure are there: an absent one is a fault of this package, and is said where it happens.

/** `values[index]`. @throws RangeError where nothing is there */
export function at<T>(values: ArrayLike<T>, index: number): T {
  const value = values[index];
  if (value === undefined) throw new RangeError(`no element ${index} among ${values.length}`);
  return value;
}

/** Rows and width of a matrix. @throws RangeError for what is none */
export function matrixShape({ shape }: { readonly shape: readonly number[] }): readonly [rows: number, width: number] {
  return [at(shape, 0), at(shape, 1)];
}

/** In f64, from the first to the last. */
export function sumOf(values: Iterable<number>): number {
  let sum = 0;
  for (const value of values) sum += value;
  return sum;
}
