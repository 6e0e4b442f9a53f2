// Commands that are recorded once and appended again as they are: decoding does the same step for every token, in the same buffers.
import type { Device } from "../device/device.ts";
import { TensorError } from "../error.ts";
import { refusePromise } from "../memory/scope.ts";
import type { Storage, Tensor } from "../tensor.ts";

/** A captured computation. */
export interface Captured<T> {
  readonly value: T;
  /**
   * Appends its commands once more: the same kernels, buffers and uniforms. What changes from one time to the next lies in buffers that are
   * written in between. Undefined where that would not compute the same: it has uploaded or read something, or written over what it began from.
   * Throws `argument` after `release`, and where a tensor that the commands take was disposed: its memory may be another's by then.
   */
  readonly replay: (() => void) | undefined;
  /** Gives back the memory that the commands work in, which is nobody else's until then. */
  release(): void;
}

/** The tag of that memory. */
const TAG = "captured";

/** The commands of one computation, and whether they can be appended again. */
export class Capture {
  readonly #commands: (() => void)[] = [];
  /** Buffers that were read before anything was written to them, and those that were written. */
  readonly #read = new Set<unknown>();
  readonly #written = new Set<unknown>();
  readonly #storages = new Set<Storage>();
  #refused = false;

  add(reads: readonly unknown[], writes: readonly unknown[], again: () => void): void {
    for (const buffer of reads) if (!this.#written.has(buffer)) this.#read.add(buffer);
    for (const buffer of writes) this.#written.add(buffer);
    this.#commands.push(again);
  }

  /** A command takes them. */
  touch(tensors: readonly Tensor[]): void {
    for (const { storage } of tensors) this.#storages.add(storage);
  }

  /** Something happened that is no command. */
  refuse(): void {
    this.#refused = true;
  }

  /** Whether its commands find the second time what they found the first time. */
  get canReplay(): boolean {
    return !this.#refused && [...this.#read].every((buffer) => !this.#written.has(buffer));
  }

  /** Those that commands take and that are in use. */
  get inUse(): Storage[] {
    return [...this.#storages].filter(({ references }) => references > 0);
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
  const { value, idle } = (() => {
    try {
      return device.pool.track(() => refusePromise(fn(), "capture"));
    } finally {
      holder.capture = undefined;
    }
  })();
  if (!capture.canReplay) return { value, replay: undefined, release: () => {} };
  const flops = device.flops - before;
  const { inUse } = capture;
  device.pool.withhold(idle, TAG);
  let isReleased = false;
  return {
    value,
    replay() {
      device.check();
      if (isReleased || inUse.some(({ references }) => references === 0))
        throw new TensorError("argument", "these commands were released, or a tensor that they take was disposed");
      capture.replay();
      device.flops += flops;
    },
    release() {
      if (isReleased || device.closed) return;
      isReleased = true;
      for (const buffer of idle) device.pool.give(buffer, TAG);
    },
  };
}
