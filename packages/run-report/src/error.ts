// The one error class of this package. `code` is stable and meant for programs; the message is meant for people.

/** `missing` a file or directory that is needed; `invalid` one that is something else than was expected. */
export type RunReportErrorCode = "missing" | "invalid";

/** Every error this package throws on purpose. */
export class RunReportError extends Error {
  override readonly name = "RunReportError";
  readonly code: RunReportErrorCode;

  constructor(code: RunReportErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
