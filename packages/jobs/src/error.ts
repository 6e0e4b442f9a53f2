// The one error class of this package. `code` is stable and meant for programs; the message is meant for people.

/**
 * `config` a configuration that cannot be used, with the place; `argument` a call that asks for what cannot be; `missing` a file or directory
 * that is needed; `invalid` one that is something else than was expected; `exists` a place that is taken by something else; `run_exists` one
 * that holds a run already; `untrusted` code of the user's own that a run names, and nobody said it may be loaded; `differs` a record that is
 * not what is computed from it.
 */
export type JobsErrorCode =
  | "config"
  | "argument"
  | "missing"
  | "invalid"
  | "exists"
  | "run_exists"
  | "untrusted"
  | "differs";

/** Every error this package throws on purpose. */
export class JobsError extends Error {
  override readonly name = "JobsError";
  readonly code: JobsErrorCode;

  constructor(code: JobsErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
