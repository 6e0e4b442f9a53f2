// The one error class of the command line; what its packages throw keeps their own classes.

/**
 * `config` a configuration that a command cannot use; `argument` a value of the command line that cannot be; `missing` a file or directory that
 * is needed; `invalid` one that is something else than was expected.
 */
export type TrainerErrorCode = "config" | "argument" | "missing" | "invalid";

export class TrainerError extends Error {
  override readonly name = "TrainerError";
  readonly code: TrainerErrorCode;

  constructor(code: TrainerErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
