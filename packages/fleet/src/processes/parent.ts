// The side of a worker in a child process: its transport is the channel to the process that has started it.
import { z } from "zod";
import { verifiedBlob } from "../blob.ts";
import { FleetError, type FleetErrorCode } from "../error.ts";
import type { Claim, KeyListener, Transport } from "../transport.ts";
import type { Call, Reply } from "./wire.ts";

const claimSchema = z.object({ unit: z.string(), body: z.instanceof(Uint8Array), delivery: z.int() });

/** Ends the process where the other one is gone. @throws FleetError `argument` in a process that was not started with a channel */
export function parentTransport(): Transport {
  if (!process.send) throw new FleetError("argument", "this process was not started as a worker of another one");
  return new ParentTransport();
}

class ParentTransport implements Transport {
  readonly #waiting = new Map<number, { resolve(value: unknown): void; reject(error: Error): void }>();
  readonly #listeners = new Map<number, KeyListener>();
  #next = 0;

  constructor() {
    process.on("message", this.#hear);
    process.once("disconnect", () => {
      for (const { reject } of this.#waiting.values()) reject(gone());
    });
  }

  readonly #hear = (message: unknown): void => {
    const reply = message as Reply; // of the process that has started this one
    if ("watch" in reply) {
      this.#listeners.get(reply.watch)?.(reply.key, reply.value);
      return;
    }
    const waiting = this.#waiting.get(reply.to);
    this.#waiting.delete(reply.to);
    if ("code" in reply) waiting?.reject(new FleetError(reply.code as FleetErrorCode, reply.message));
    else waiting?.resolve(reply.value);
  };

  async offer(queue: string, unit: string, body: Uint8Array): Promise<void> {
    await this.#call({ call: "offer", queue, unit, body }).answer;
  }

  async claim(queues: readonly string[], signal: AbortSignal): Promise<Claim> {
    signal.throwIfAborted();
    const { id, answer } = this.#call({ call: "claim", queues: [...queues] });
    const abort = (): void => void this.#call({ call: "cancel", claim: id }).answer.catch(() => {});
    signal.addEventListener("abort", abort, { once: true });
    try {
      const { unit, body, delivery } = claimSchema.parse(await answer);
      const settle = (how: "working" | "done" | "release") => this.#call({ call: "settle", claim: id, how }).answer;
      const claim: Claim = {
        unit,
        body,
        delivery,
        working: () => void settle("working").catch(() => {}),
        done: async () => void (await settle("done")),
        release: async () => void (await settle("release")),
      };
      if (!signal.aborted) return claim;
      await claim.release();
      throw signal.reason;
    } catch (error) {
      throw signal.aborted ? signal.reason : error;
    } finally {
      signal.removeEventListener("abort", abort);
    }
  }

  async withdraw(): Promise<void> {
    await this.#call({ call: "withdraw" }).answer;
  }

  async set(key: string, value: Uint8Array): Promise<void> {
    await this.#call({ call: "set", key, value }).answer;
  }

  async unset(key: string): Promise<void> {
    await this.#call({ call: "unset", key }).answer;
  }

  async watch(prefix: string, listener: KeyListener): Promise<() => void> {
    this.#listeners.set(this.#next, listener);
    const { id, answer } = this.#call({ call: "watch", prefix });
    await answer;
    return () => {
      this.#listeners.delete(id);
      this.#call({ call: "unwatch", watch: id }).answer.catch(() => {});
    };
  }

  async putBlob(bytes: Uint8Array): Promise<string> {
    return z.string().parse(await this.#call({ call: "putBlob", bytes }).answer);
  }

  async getBlob(hash: string): Promise<Uint8Array> {
    return verifiedBlob(hash, z.instanceof(Uint8Array).parse(await this.#call({ call: "getBlob", hash }).answer));
  }

  async deleteBlob(hash: string): Promise<void> {
    await this.#call({ call: "deleteBlob", hash }).answer;
  }

  async close(): Promise<void> {
    process.off("message", this.#hear);
    if (process.connected) process.disconnect();
  }

  #call(call: Call): { readonly id: number; readonly answer: Promise<unknown> } {
    const id = this.#next++;
    const answer = new Promise<unknown>((resolve, reject) => {
      if (!process.connected) {
        reject(gone());
        return;
      }
      this.#waiting.set(id, { resolve, reject });
      process.send?.({ id, ...call }, undefined, undefined, (error) => {
        if (!error) return;
        this.#waiting.delete(id);
        reject(gone(error));
      });
    });
    return { id, answer };
  }
}

function gone(cause?: Error): FleetError {
  return new FleetError("lost", "the process that has started this worker is gone", { cause });
}
