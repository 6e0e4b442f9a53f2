// The side of the process that has started workers: each gets a door to the hub.
import type { ChildProcess } from "node:child_process";
import { FleetError } from "../error.ts";
import type { Hub } from "../hub.ts";
import type { Claim, Transport } from "../transport.ts";
import { type Reply, type Request, requestSchema } from "./wire.ts";

/** Serves a child that was started with a channel of `serialization: "advanced"`, until it ends: what it had claimed goes to others then. */
export function serveChild(hub: Hub, child: ChildProcess, onNews: (text: string) => void = () => {}): void {
  const door = new Door(hub.connect(), (reply) => {
    if (child.connected) child.send(reply, () => {}); // one that has just ended hears nothing any more
  });
  child.on("message", (message) => {
    const request = requestSchema.safeParse(message);
    if (request.success) void door.take(request.data);
    else onNews(`process ${child.pid} sent what is no request`);
  });
  const leave = (): void => void door.close();
  child.once("disconnect", leave);
  child.once("exit", leave);
}

class Door {
  readonly #transport: Transport;
  readonly #reply: (reply: Reply) => void;
  readonly #claiming = new Map<number, AbortController>();
  readonly #claims = new Map<number, Claim>();
  readonly #watches = new Map<number, () => void>();

  constructor(transport: Transport, reply: (reply: Reply) => void) {
    this.#transport = transport;
    this.#reply = reply;
  }

  async take(request: Request): Promise<void> {
    try {
      this.#reply({ to: request.id, value: await this.#answer(request) });
    } catch (error) {
      const code = error instanceof FleetError ? error.code : "lost";
      this.#reply({ to: request.id, code, message: (error as Error).message });
    }
  }

  close(): Promise<void> {
    for (const claiming of this.#claiming.values()) claiming.abort();
    return this.#transport.close();
  }

  async #answer(request: Request): Promise<unknown> {
    const transport = this.#transport;
    switch (request.call) {
      case "offer":
        return transport.offer(request.queue, request.unit, request.body);
      case "claim":
        return this.#claim(request.id, request.queues);
      case "cancel":
        return this.#claiming.get(request.claim)?.abort();
      case "settle":
        return this.#settle(request.claim, request.how);
      case "withdraw":
        return transport.withdraw();
      case "set":
        return transport.set(request.key, request.value);
      case "unset":
        return transport.unset(request.key);
      case "watch": {
        const { id, prefix } = request;
        this.#watches.set(id, await transport.watch(prefix, (key, value) => this.#reply({ watch: id, key, value })));
        return undefined;
      }
      case "unwatch":
        return this.#watches.get(request.watch)?.();
      case "putBlob":
        return transport.putBlob(request.bytes);
      case "getBlob":
        return transport.getBlob(request.hash);
      case "deleteBlob":
        return transport.deleteBlob(request.hash);
    }
  }

  async #claim(id: number, queues: readonly string[]): Promise<unknown> {
    const claiming = new AbortController();
    this.#claiming.set(id, claiming);
    try {
      const claim = await this.#transport.claim(queues, claiming.signal);
      this.#claims.set(id, claim);
      return { unit: claim.unit, body: claim.body, delivery: claim.delivery };
    } finally {
      this.#claiming.delete(id);
    }
  }

  async #settle(id: number, how: "working" | "done" | "release"): Promise<void> {
    const claim = this.#claims.get(id);
    if (how === "working") return claim?.working();
    this.#claims.delete(id);
    await claim?.[how]();
  }
}
