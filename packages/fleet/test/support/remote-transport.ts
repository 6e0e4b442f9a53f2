// The door of a child process, held by its parent: what is called here is done there.
import type { ChildProcess } from "node:child_process";
import { type Claim, FleetError, type FleetErrorCode, type KeyListener, type Transport } from "@iapo/fleet";

type Said =
  | { readonly answered: number; readonly value?: unknown; readonly error?: { code?: string; message: string } }
  | { readonly seen: number; readonly key: string; readonly value: Uint8Array | undefined };

export function remoteTransport(child: ChildProcess): Transport {
  const waiting = new Map<number, PromiseWithResolvers<unknown>>();
  const listeners = new Map<number, KeyListener>();
  let next = 0;
  child.on("message", (message: Said | object) => {
    if ("seen" in message) listeners.get(message.seen)?.(message.key, message.value);
    if (!("answered" in message)) return;
    const { error, value } = message;
    if (error?.code) waiting.get(message.answered)?.reject(new FleetError(error.code as FleetErrorCode, error.message));
    else if (error) waiting.get(message.answered)?.reject(new Error(error.message));
    else waiting.get(message.answered)?.resolve(value);
  });
  const call = (method: string, ...args: unknown[]): { ask: number; answer: Promise<unknown> } => {
    const ask = next++;
    const asked = Promise.withResolvers<unknown>();
    waiting.set(ask, asked);
    child.send({ ask, method, args });
    return { ask, answer: asked.promise };
  };
  const plain = async (method: string, ...args: unknown[]): Promise<void> => void (await call(method, ...args).answer);
  return {
    offer: (...args) => plain("offer", ...args),
    async claim(queues, signal) {
      const { ask, answer } = call("claim", queues);
      const cancel = (): void => void plain("cancel", ask);
      signal.addEventListener("abort", cancel, { once: true });
      const { unit, body, delivery } = (await answer
        .catch((error: unknown) => {
          throw signal.aborted ? signal.reason : error;
        })
        .finally(() => signal.removeEventListener("abort", cancel))) as Pick<Claim, "unit" | "body" | "delivery">;
      const settle = (how: string) => plain("settle", unit, how);
      return {
        unit,
        body,
        delivery,
        working: () => void settle("working"),
        done: () => settle("done"),
        release: () => settle("release"),
      };
    },
    withdraw: () => plain("withdraw"),
    set: (...args) => plain("set", ...args),
    unset: (...args) => plain("unset", ...args),
    async watch(prefix, listener) {
      listeners.set(next, listener);
      const { ask, answer } = call("watch", prefix);
      await answer;
      return () => {
        listeners.delete(ask);
        void plain("unwatch", ask);
      };
    },
    putBlob: async (bytes) => (await call("putBlob", bytes).answer) as string,
    getBlob: async (hash) => (await call("getBlob", hash).answer) as Uint8Array,
    deleteBlob: (hash) => plain("deleteBlob", hash),
    async close() {
      const ended = new Promise((resolve) => child.once("exit", resolve));
      child.kill("SIGKILL");
      await ended;
    },
  };
}
