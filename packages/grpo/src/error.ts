// The one error class of this package. `code` is stable and meant for programs; the message is meant for people.

export type GrpoErrorCode = "shape" | "argument";

/** Every error this package throws on purpose. */
export class GrpoError extends Error {
  override readonly name = "GrpoError";
  readonly code: GrpoErrorCode;

  constructor(code: GrpoErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
