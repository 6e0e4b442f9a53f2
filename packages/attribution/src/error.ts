// The one error class of this package. `code` is stable and meant for programs; the message is meant for people.

/** `shape`: arrays that do not belong together; `argument`: a call that makes no sense; `span`: a response without target tokens; `baseline`: one that the model cannot give. */
export type AttributionErrorCode = "shape" | "argument" | "span" | "baseline";

/** Every error this package throws on purpose. */
export class AttributionError extends Error {
  override readonly name = "AttributionError";
  readonly code: AttributionErrorCode;

  constructor(code: AttributionErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
