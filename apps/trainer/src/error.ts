// The one error class of the command line; what its packages throw keeps their own classes.

/**
 * `config` a configuration that cannot be used, with the place; `argument` a value of the command line that cannot be; `missing` a file or
 * directory that is needed; `invalid` one that is something else than was expected; `exists` a place that is taken; `busy` one that another
 * process works in; `write_failed` such as a full disk; `settings` a result of other settings; `endpoint` a model behind an address that does not answer; `differs` a record that is not
 * what is computed from it.
 */
export type TrainerErrorCode =
  | "config"
  | "argument"
  | "missing"
  | "invalid"
  | "exists"
  | "busy"
  | "write_failed"
  | "settings"
  | "endpoint"
  | "differs";

export class TrainerError extends Error {
  override readonly name = "TrainerError";
  readonly code: TrainerErrorCode;

  constructor(code: TrainerErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
