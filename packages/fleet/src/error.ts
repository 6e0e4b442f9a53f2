// The one error class of this package. `code` is stable and meant for programs; the message is meant for people.

/**
 * `argument` a call that makes no sense; `invalid` a message that is not what it should be; `refused` a worker that may not take part;
 * `conflict` two workers gave other bytes for the same unit; `missing` a package or a blob that is needed; `lost` the server cannot be
 * reached, or has no room.
 */
export type FleetErrorCode = "argument" | "invalid" | "refused" | "conflict" | "missing" | "lost";

/** Every error this package throws on purpose. */
export class FleetError extends Error {
  override readonly name = "FleetError";
  readonly code: FleetErrorCode;

  constructor(code: FleetErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
