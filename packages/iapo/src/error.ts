// The one error class of this package. `code` is stable and meant for programs; the message is meant for people.

/**
 * `shape`: things that do not belong together; `argument`: a call that makes no sense; `teacher`: a teacher that cannot do what is asked of
 * it, such as one with another tokenizer; `cache`: a directory of cached calls that cannot be written; `verifier`: a judge of tool calls that failed;
 * `missing`: a file that is needed; `invalid`: one that is something else than was expected; `settings`: a result of other settings.
 */
export type IapoErrorCode =
  | "shape"
  | "argument"
  | "teacher"
  | "cache"
  | "verifier"
  | "missing"
  | "invalid"
  | "settings";

/** Every error this package throws on purpose. */
export class IapoError extends Error {
  override readonly name = "IapoError";
  readonly code: IapoErrorCode;

  constructor(code: IapoErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
