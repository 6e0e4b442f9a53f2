// The one error class of this package. `code` is stable and meant for programs; the message is meant for people.

/** `missing` a directory that holds no run; `argument` a setting that cannot be; `listen` the address cannot be listened on. */
export type RunViewErrorCode = "missing" | "argument" | "listen";

/** Every error this package throws on purpose. */
export class RunViewError extends Error {
  override readonly name = "RunViewError";
  readonly code: RunViewErrorCode;

  constructor(code: RunViewErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
