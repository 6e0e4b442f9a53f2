// The one error class of this package. `code` is stable and meant for programs; the message is meant for people.

/**
 * `settings` a directory that holds the result of other settings; `endpoint` a model behind an address that does not answer; `refused` a
 * request that it will not serve, where it may serve others; `episode` an episode that failed for another reason; `invalid` a file that is
 * not the result of an evaluation.
 */
export type EvaluationErrorCode = "settings" | "endpoint" | "refused" | "episode" | "invalid";

/** Every error this package throws on purpose. */
export class EvaluationError extends Error {
  override readonly name = "EvaluationError";
  readonly code: EvaluationErrorCode;

  constructor(code: EvaluationErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
