// The one error class of this package. `code` is stable and meant for programs; the message is meant for people.

/**
 * `shape`, `argument`: a call that makes no sense; `rollout`: an episode failed and the run is to stop then, or nothing is left to train on;
 * `checkpoint`: a checkpoint that cannot be written or read, or is not whole; `module`: a user's function that cannot be loaded, throws, or gives what it may not; `data`: a task
 * source that ran dry; `diverged`: numbers are not finite any more, and the run is over. Of a run's directory: `busy` another process works in it; `exists` something else is there; `missing`; `invalid` a file
 * of another form; `differs` the run was made with other settings, content, code or kernels; `write_failed`.
 */
export type GrpoErrorCode =
  | "shape"
  | "argument"
  | "rollout"
  | "checkpoint"
  | "module"
  | "data"
  | "diverged"
  | "busy"
  | "exists"
  | "missing"
  | "invalid"
  | "differs"
  | "write_failed";

/** Every error this package throws on purpose. */
export class GrpoError extends Error {
  override readonly name = "GrpoError";
  readonly code: GrpoErrorCode;

  constructor(code: GrpoErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
