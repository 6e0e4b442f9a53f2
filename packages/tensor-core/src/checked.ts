// Elements that must be there.

/** `values[index]`. Throws a RangeError where nothing is there, which is a fault of the caller. */
export function at<T>(values: ArrayLike<T>, index: number): T {
  const value = values[index];
  if (value === undefined) throw new RangeError(`no element ${index} among ${values.length}`);
  return value;
}

/** As {@link at}, for inner loops of references: of one kind of array, which engines compile to a load. */
export function element(values: Float64Array, index: number): number {
  const value = values[index];
  if (value === undefined) throw new RangeError(`no element ${index} among ${values.length}`);
  return value;
}

/** Rows and columns. Throws a RangeError for what is no matrix, which is a fault of the caller. */
export function matrixShape({
  shape,
}: {
  readonly shape: readonly number[];
}): readonly [rows: number, columns: number] {
  const [rows, columns, ...more] = shape;
  if (rows === undefined || columns === undefined || more.length > 0)
    throw new RangeError(`[${shape.join(", ")}] is no matrix`);
  return [rows, columns];
}

/** The number of rows: the first dimension's length. Throws a RangeError for a scalar, which is a fault of the caller. */
export function rowsOf({ shape }: { readonly shape: readonly number[] }): number {
  return at(shape, 0);
}
