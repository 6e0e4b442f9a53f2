// Commands that are recorded once and appended again as they are: decoding does the same step for every token, in the same buffers.
import type { Device } from "../device/device.ts";
import { TensorError } from "../error.ts";
import { refusePromise } from "../memory/scope.ts";

/** A captured computation. */
export interface Captured<T> {
  readonly value: T;
  /**
   * Appends its commands once more: the same kernels, buffers and uniforms. What changes from one time to the next lies in buffers that are
   * written in between. Undefined where that would not compute the same: it has uploaded or read something, or written over what it began from.
   * Throws `argument` where memory was taken since: what the commands work in may be another tensor's by then.
   */
  readonly replay: (() => void) | undefined;
}

/** The commands of one computation, and whether they can be appended again. */
export class Capture {
  readonly #commands: (() => void)[] = [];
  /** Buffers that were read before anything was written to them, and those that were written. */
  readonly #read = new Set<unknown>();
  readonly #written = new Set<unknown>();
  #refused = false;

  add(reads: readonly unknown[], writes: readonly unknown[], again: () => void): void {
    for (const buffer of reads) if (!this.#written.has(buffer)) this.#read.add(buffer);
    for (const buffer of writes) this.#written.add(buffer);
    this.#commands.push(again);
  }

  /** Something happened that is no command. */
  refuse(): void {
    this.#refused = true;
  }

  /** Whether its commands find the second time what they found the first time. */
  get canReplay(): boolean {
    return !this.#refused && [...this.#read].every((buffer) => !this.#written.has(buffer));
  }

  replay(): void {
    for (const again of this.#commands) again();
  }
}

/** What hears of commands. */
export interface Capturing {
  capture: Capture | undefined;
}

/** Runs `fn` under `holder`'s eyes. */
export function captured<T>(device: Device, holder: Capturing, fn: () => T): Captured<T> {
  if (holder.capture) throw new TensorError("argument", "commands are being captured already");
  const capture = new Capture();
  const before = device.flops;
  holder.capture = capture;
  let value: T;
  try {
    value = refusePromise(fn(), "capture");
  } finally {
    holder.capture = undefined;
  }
  if (!capture.canReplay) return { value, replay: undefined };
  const flops = device.flops - before;
  const { taken } = device.pool;
  const replay = (): void => {
    device.check();
    if (device.pool.taken !== taken)
      throw new TensorError("argument", "memory was taken since these commands were captured: capture them again");
    capture.replay();
    device.flops += flops;
  };
  return { value, replay };
}
