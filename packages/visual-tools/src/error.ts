// The package's one error class.
/** Stable codes; the first group reaches a caller only as the `reason.code` of a tool outcome. */
export type VisualToolsErrorCode =
  | "bad_argument"
  | "bad_box"
  | "unknown_key"
  | "too_many_pixels"
  | "bad_tool"
  | "bad_draw"
  | "bad_image"
  | "bad_template";

/** What a tool, the image reader and the template loader throw. `message` says what, where and what to do. */
export class VisualToolsError extends Error {
  override readonly name = "VisualToolsError";
  readonly code: VisualToolsErrorCode;

  constructor(code: VisualToolsErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
