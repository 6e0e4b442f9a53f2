// A fleet within a process: queue, keys and blobs in memory. The server of child processes, too.
import { foundBlob, hashOf } from "./blob.ts";
import { FleetError } from "./error.ts";
import type { Claim, KeyListener, Transport } from "./transport.ts";

export interface HubOptions {
  /** Milliseconds after which a silent claim is given to another; default 30 000. */
  readonly patience?: number | undefined;
}

interface Unit {
  readonly queue: string;
  readonly name: string;
  readonly body: Uint8Array;
  deliveries: number;
  owner: Connection | undefined;
  timer: NodeJS.Timeout | undefined;
}

interface Waiting {
  readonly queues: readonly string[];
  readonly connection: Connection;
  take(unit: Unit): void;
}

export class Hub {
  readonly #patience: number;
  readonly #units = new Map<string, Unit>();
  readonly #waiting = new Set<Waiting>();
  readonly #keys = new Map<string, Uint8Array>();
  readonly #watchers = new Set<{ readonly prefix: string; readonly listener: KeyListener }>();
  readonly #blobs = new Map<string, Uint8Array>();

  constructor({ patience = 30_000 }: HubOptions = {}) {
    this.#patience = patience;
  }

  /** A member's door. What it has claimed when it is closed goes to the others at once. */
  connect(): Transport {
    return new Connection(this);
  }

  offer(queue: string, name: string, body: Uint8Array): void {
    if (this.#units.has(name)) throw new FleetError("argument", `the unit ${name} is offered already`);
    this.#units.set(name, { queue, name, body, deliveries: 0, owner: undefined, timer: undefined });
    this.#hand();
  }

  wait(waiting: Waiting): () => void {
    this.#waiting.add(waiting);
    this.#hand();
    return () => this.#waiting.delete(waiting);
  }

  /** Whether it was still this one's. */
  settle(name: string, owner: Connection, how: "working" | "done" | "release"): void {
    const unit = this.#units.get(name);
    if (unit?.owner !== owner) return;
    clearTimeout(unit.timer);
    if (how === "done") this.#units.delete(name);
    else if (how === "working") this.#hold(unit, owner);
    else this.#free(unit);
  }

  withdraw(): void {
    for (const { timer } of this.#units.values()) clearTimeout(timer);
    this.#units.clear();
  }

  set(key: string, value: Uint8Array | undefined): void {
    if (value) this.#keys.set(key, value);
    else if (!this.#keys.delete(key)) return;
    for (const { prefix, listener } of [...this.#watchers]) if (isBelow(key, prefix)) listener(key, value);
  }

  watch(prefix: string, listener: KeyListener): () => void {
    const watcher = { prefix, listener };
    this.#watchers.add(watcher);
    for (const [key, value] of [...this.#keys]) if (isBelow(key, prefix)) listener(key, value);
    return () => void this.#watchers.delete(watcher);
  }

  putBlob(bytes: Uint8Array): string {
    const hash = hashOf(bytes);
    if (!this.#blobs.has(hash)) this.#blobs.set(hash, bytes.slice());
    return hash;
  }

  blob(hash: string): Uint8Array | undefined {
    return this.#blobs.get(hash);
  }

  deleteBlob(hash: string): void {
    this.#blobs.delete(hash);
  }

  leave(connection: Connection): void {
    for (const waiting of this.#waiting) if (waiting.connection === connection) this.#waiting.delete(waiting);
    for (const unit of this.#units.values()) if (unit.owner === connection) this.#free(unit);
  }

  #free(unit: Unit): void {
    clearTimeout(unit.timer);
    unit.owner = undefined;
    this.#hand();
  }

  #hold(unit: Unit, owner: Connection): void {
    unit.owner = owner;
    unit.timer = setTimeout(() => this.#free(unit), this.#patience).unref();
  }

  /** To those who wait, in the order in which they came. */
  #hand(): void {
    for (const waiting of this.#waiting) {
      const unit = this.#nextFor(waiting.queues);
      if (!unit) continue;
      this.#waiting.delete(waiting);
      this.#hold(unit, waiting.connection);
      unit.deliveries++;
      waiting.take(unit);
    }
  }

  /** Of the first queue that has any, the unit that was offered first. */
  #nextFor(queues: readonly string[]): Unit | undefined {
    const free = [...this.#units.values()].filter(({ owner }) => !owner);
    for (const queue of queues) {
      const found = free.find((unit) => unit.queue === queue);
      if (found) return found;
    }
    return undefined;
  }
}

function isBelow(key: string, prefix: string): boolean {
  return prefix.endsWith(".") ? key.startsWith(prefix) : key === prefix;
}

class Connection implements Transport {
  readonly #hub: Hub;
  readonly #own = new Set<string>();
  readonly #ends = new Set<() => void>();
  #closed = false;

  constructor(hub: Hub) {
    this.#hub = hub;
  }

  async offer(queue: string, unit: string, body: Uint8Array): Promise<void> {
    this.#open().offer(queue, unit, body);
  }

  claim(queues: readonly string[], signal: AbortSignal): Promise<Claim> {
    const hub = this.#open();
    signal.throwIfAborted();
    return new Promise((resolve, reject) => {
      const abort = (): void => {
        stop();
        reject(signal.reason);
      };
      signal.addEventListener("abort", abort, { once: true });
      const stop = hub.wait({
        queues,
        connection: this,
        take: ({ name, body, deliveries: delivery }) => {
          signal.removeEventListener("abort", abort);
          resolve({
            unit: name,
            body,
            delivery,
            working: () => hub.settle(name, this, "working"),
            done: async () => hub.settle(name, this, "done"),
            release: async () => hub.settle(name, this, "release"),
          });
        },
      });
    });
  }

  async withdraw(): Promise<void> {
    this.#open().withdraw();
  }

  async set(key: string, value: Uint8Array): Promise<void> {
    if (key.startsWith("worker.")) this.#own.add(key);
    this.#open().set(key, value);
  }

  async unset(key: string): Promise<void> {
    this.#open().set(key, undefined);
  }

  async watch(prefix: string, listener: KeyListener): Promise<() => void> {
    const end = this.#open().watch(prefix, listener);
    this.#ends.add(end);
    return end;
  }

  async putBlob(bytes: Uint8Array): Promise<string> {
    return this.#open().putBlob(bytes);
  }

  async getBlob(hash: string): Promise<Uint8Array> {
    return foundBlob(hash, this.#open().blob(hash)); // the hub itself has named it by its content
  }

  async deleteBlob(hash: string): Promise<void> {
    this.#open().deleteBlob(hash);
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    for (const end of this.#ends) end();
    this.#hub.leave(this);
    for (const key of this.#own) this.#hub.set(key, undefined);
  }

  #open(): Hub {
    if (this.#closed) throw new FleetError("lost", "this door to the fleet was closed");
    return this.#hub;
  }
}
