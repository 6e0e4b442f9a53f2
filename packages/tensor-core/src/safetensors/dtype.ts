// The dtypes of the safetensors format and the bytes that one element of each takes.
const BYTES_PER_ELEMENT = {
  F64: 8,
  I64: 8,
  U64: 8,
  F32: 4,
  I32: 4,
  U32: 4,
  F16: 2,
  BF16: 2,
  I16: 2,
  U16: 2,
  F8_E4M3: 1,
  F8_E5M2: 1,
  I8: 1,
  U8: 1,
  BOOL: 1,
} as const;

/** A dtype as it is written in a safetensors header. */
export type SafetensorsDtype = keyof typeof BYTES_PER_ELEMENT;

export function isSafetensorsDtype(value: unknown): value is SafetensorsDtype {
  return typeof value === "string" && Object.hasOwn(BYTES_PER_ELEMENT, value);
}

/** Bytes of one element. */
export function bytesPerElement(dtype: SafetensorsDtype): number {
  return BYTES_PER_ELEMENT[dtype];
}

/** Bytes of a whole tensor, or `undefined` where the shape is no list of whole numbers or its size is not exactly countable. */
export function tensorByteLength(dtype: SafetensorsDtype, shape: readonly number[]): number | undefined {
  // A zero anywhere makes the tensor empty, however large the other dimensions are.
  if (!shape.every((size) => Number.isSafeInteger(size) && size >= 0)) return undefined;
  if (shape.includes(0)) return 0;
  let bytes: number = BYTES_PER_ELEMENT[dtype];
  for (const size of shape) {
    bytes *= size;
    if (!Number.isSafeInteger(bytes)) return undefined;
  }
  return bytes;
}
