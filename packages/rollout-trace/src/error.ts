// The one error class of this package. `code` is stable and meant for programs; the message is meant for people.

/**
 * `torn` the file stops before its end; `corrupt` its bytes changed; `invalid` a record breaks the format; `version` another
 * format version; `too_large` beyond a bound; `exists`, `busy` a step is written already, or is being written; `write_failed`
 * such as a full disk; `read_failed`; `inconsistent` records that do not fit each other.
 */
export type TraceErrorCode =
  | "torn"
  | "corrupt"
  | "invalid"
  | "version"
  | "too_large"
  | "exists"
  | "busy"
  | "write_failed"
  | "read_failed"
  | "inconsistent";

/** Every error this package throws on purpose, but for the RangeError of `identifyImage`. */
export class TraceError extends Error {
  override readonly name = "TraceError";
  readonly code: TraceErrorCode;

  constructor(code: TraceErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
