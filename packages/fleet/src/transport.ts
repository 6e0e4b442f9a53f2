// What a fleet needs of the means by which its members reach one another: a queue of units, blobs by their hash, and keys that are watched.

/** A unit that a worker has taken. If its worker falls silent, somebody else gets it. */
export interface Claim {
  readonly unit: string;
  readonly body: Uint8Array;
  /** The how-manieth handing out this is, from 1: others have given it back, or fallen silent. */
  readonly delivery: number;
  /** Says that it is still being worked on. */
  working(): void;
  /** It is done, and its result is known: nobody else gets it. */
  done(): Promise<void>;
  /** Gives it back at once. */
  release(): Promise<void>;
}

/** The queue of one worker alone, for what another one is to do a second time. */
export function ownQueue(worker: string): string {
  return `only-${worker}`;
}

/** Hears each key that begins with the prefix, which ends with a dot or is a whole key: as it stands, then as it changes; undefined where it was removed. */
export type KeyListener = (key: string, value: Uint8Array | undefined) => void;

/**
 * One member's door to a run's fleet. Names of units, queues and keys are words of letters, digits, `-` and `_` with dots between.
 * @throws FleetError `lost` from all of it where the others cannot be reached
 */
export interface Transport {
  /** Puts a unit behind those of a queue. Its body is small: what is large goes by blobs. */
  offer(queue: string, unit: string, body: Uint8Array): Promise<void>;
  /** The next unit of the first of the queues that has one, as soon as there is one. @throws the signal's reason */
  claim(queues: readonly string[], signal: AbortSignal): Promise<Claim>;
  /** Takes back all units that were offered, claimed or not. */
  withdraw(): Promise<void>;
  /** Keys that begin with `worker.` go with the connection that has set them, at once or after a while. */
  set(key: string, value: Uint8Array): Promise<void>;
  unset(key: string): Promise<void>;
  /** Returns what ends the watching. */
  watch(prefix: string, listener: KeyListener): Promise<() => void>;
  /** Keeps bytes under their SHA-256 in lower-case hex; whole or not at all. */
  putBlob(bytes: Uint8Array): Promise<string>;
  /** @throws FleetError `missing` where there is none of this name, `invalid` where its bytes are others */
  getBlob(hash: string): Promise<Uint8Array>;
  deleteBlob(hash: string): Promise<void>;
  close(): Promise<void>;
}
