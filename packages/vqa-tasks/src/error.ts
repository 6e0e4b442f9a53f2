// The one error class of this package: a stable `code`, and a message that says what, where and what to do.
export type VqaTasksErrorCode =
  | "invalid_config"
  | "invalid_task"
  | "bad_row"
  | "missing_file"
  | "missing_image"
  | "undrawable"
  | "too_large"
  | "endpoint_failed"
  | "judge_failed"
  | "request_refused"
  | "exists"
  | "write_failed"
  | "wrong_state";

export class VqaTasksError extends Error {
  override readonly name = "VqaTasksError";
  readonly code: VqaTasksErrorCode;

  constructor(code: VqaTasksErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
