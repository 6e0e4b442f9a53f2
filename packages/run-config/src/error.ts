// The one error class of this package. `code` is stable and meant for programs; the message is meant for people.

/**
 * `invalid` a configuration that cannot be used: each problem with its place; `missing` there is no file or recipe of that name;
 * `unreadable` what is there is no text file of a configuration's size.
 */
export type ConfigErrorCode = "invalid" | "missing" | "unreadable";

/** Every error this package throws on purpose. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
  readonly code: ConfigErrorCode;

  constructor(code: ConfigErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
