// Reading what the caller has made sure of: an absent value is a fault of this package, and is said where it happens.
/** The element at `index`, counted from the end where it is negative. @throws RangeError where there is none */
export function at<T>(list: ArrayLike<T>, index: number): T {
  const found = list[index < 0 ? list.length + index : index];
  if (found === undefined) throw new RangeError(`there is no element ${index} of ${list.length}`);
  return found;
}

/** Rows of a matrix: its first dimension. */
export function rowsOf({ shape }: { readonly shape: readonly number[] }): number {
  return at(shape, 0);
}
