// The one error class of this package. `code` is stable and meant for programs; the message is meant for people.

export type TensorErrorCode =
  | "no_adapter"
  | "no_tensor_cores"
  | "device_lost"
  | "out_of_memory"
  | "validation"
  | "limit"
  | "shape"
  | "dtype"
  | "argument"
  | "disposed"
  | "cross_device"
  | "two_copies"
  | "tape"
  | "async_scope"
  | "leak"
  | "format"
  | "io";

/** Every error this package throws on purpose. */
export class TensorError extends Error {
  override readonly name = "TensorError";
  readonly code: TensorErrorCode;

  constructor(code: TensorErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** Whether memory ran out, also where a package has put that into an error of its own. */
export function isOutOfMemory(error: unknown): boolean {
  for (let found = error; found instanceof Error; found = found.cause)
    if (found instanceof TensorError && found.code === "out_of_memory") return true;
  return false;
}
