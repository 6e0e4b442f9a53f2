// What a part is given: a device of its own, sizes that fit the adapter, and how long it may take.
import type { Device } from "@iapo/tensor-core";

export interface PartContext {
  readonly device: Device;
  /** A part that can be cut short ends by then, in milliseconds of `performance.now()`. */
  readonly deadline: number;
  /** Small sizes: a software adapter would take minutes for those of a card. */
  readonly isSmall: boolean;
}
