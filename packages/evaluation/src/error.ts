// The one error class of this package. `code` is stable and meant for programs; the message is meant for people.

/** `settings` a directory that holds the result of other settings; `endpoint` a model behind an address that does not answer. */
export type EvaluationErrorCode = "settings" | "endpoint";

/** Every error this package throws on purpose. */
export class EvaluationError extends Error {
  override readonly name = "EvaluationError";
  readonly code: EvaluationErrorCode;

  constructor(code: EvaluationErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
