// A run's fleet over NATS JetStream: units in a work queue, keys in a key-value bucket, blobs in an object store; all on the server's disk.

import { setTimeout as sleep } from "node:timers/promises";
import type { ConsumerConfig, JetStreamClient, JetStreamManager } from "@nats-io/jetstream";
import type { KV } from "@nats-io/kv";
import type { ObjectStore } from "@nats-io/obj";
import type { Msg, NatsConnection } from "@nats-io/transport-node";
import { hashOf, verifiedBlob } from "../blob.ts";
import { FleetError } from "../error.ts";
import type { Claim, KeyListener, Transport } from "../transport.ts";
import { type Connected, connectServer } from "./connect.ts";
import { patiently } from "./patiently.ts";

export interface NatsOptions {
  /** Such as `nats://127.0.0.1:4222`. */
  readonly server: string;
  /** The run's name on the server: a word of letters, digits, `-` and `_`. */
  readonly run: string;
  /** Milliseconds after which a silent claim is given to another; default 30 000. The learner's counts. */
  readonly patience?: number | undefined;
  /** Do not make a place for the run where the server has none. */
  readonly mustExist?: boolean | undefined;
  readonly onNews?: ((text: string) => void) | undefined;
}

/** @throws FleetError `argument`, `missing`, `lost` */
export async function natsTransport(options: NatsOptions): Promise<Transport> {
  const { server, run } = options;
  if (!/^[\w-]{1,64}$/.test(run))
    throw new FleetError("argument", `${run} is no name of a run on a server: letters, digits, - and _ only`);
  const connected = await connectServer(server, `iapo ${run}`);
  const { modules, connection, address } = connected;
  try {
    const manager = await modules.jetstream.jetstreamManager(connection);
    const stream = streamOf(run);
    const isThere = await manager.streams.info(stream).catch(() => undefined);
    if (!isThere && options.mustExist)
      throw new FleetError(
        "missing",
        `${address} holds no run ${run}: its learner, or a worker, makes its place there`,
      );
    return await NatsTransport.open(connected, options);
  } catch (cause) {
    await connection.close();
    if (cause instanceof FleetError) throw cause;
    throw new FleetError(
      "lost",
      `${address} cannot hold a fleet: ${(cause as Error).message}; a server needs JetStream (nats-server -js) and room on its disk`,
      { cause },
    );
  }
}

/** Removes all that a run has left on a server; its workers end. @throws FleetError `missing`, `argument`, `lost` */
export async function removeFleet({ server, run }: Pick<NatsOptions, "server" | "run">): Promise<void> {
  const transport = await natsTransport({ server, run, mustExist: true });
  await transport.unset("run");
  await sleep(HEARD_WITHIN);
  await transport.close();
  const { modules, connection, address } = await connectServer(server, `iapo ${run}`);
  try {
    const manager = await modules.jetstream.jetstreamManager(connection);
    const stream = streamOf(run);
    for (const name of [stream, `KV_${stream}_keys`, `OBJ_${stream}_blobs`]) await manager.streams.delete(name);
  } catch (cause) {
    throw new FleetError("lost", `${address}: ${run} cannot be removed: ${(cause as Error).message}`, { cause });
  } finally {
    await connection.close();
  }
}

/** `$JS.ACK.<stream>.<consumer>.<delivery>...`; servers of some versions name domain and account before the stream. */
function deliveryOf(reply: string): number {
  const words = reply.split(".");
  const delivery = Number(words[words.length > 9 ? 6 : 4]);
  return Number.isSafeInteger(delivery) && delivery > 0 ? delivery : 1;
}

function streamOf(run: string): string {
  return `IAPO_${run}`;
}

/** Milliseconds in which workers hear that their run is gone. */
const HEARD_WITHIN = 1000;

/** Milliseconds between looks into the queues: what is given back by a silent worker makes no sound. */
const LOOK_EVERY = 2000;
/** Milliseconds until the server must have said whether there is a unit. */
const ANSWER_WITHIN = 1000;
const MILLISECOND = 1_000_000;

interface Rooms {
  readonly stream: string;
  /** Before a queue's name. */
  readonly subject: string;
  readonly keys: KV;
  readonly blobs: ObjectStore;
  readonly jetstream: JetStreamClient;
  readonly manager: JetStreamManager;
  readonly inbox: () => string;
}

class NatsTransport implements Transport {
  readonly #connection: NatsConnection;
  readonly #address: string;
  readonly #rooms: Rooms;
  readonly #options: NatsOptions;
  readonly #consumers = new Map<string, Promise<void>>();
  readonly #own = new Set<string>();

  static async open(connected: Connected, options: NatsOptions): Promise<NatsTransport> {
    const { modules, connection } = connected;
    const { core, jetstream, kv, obj } = modules;
    const stream = streamOf(options.run);
    const subject = `iapo.${options.run}`;
    const client = jetstream.jetstream(connection);
    const manager = await jetstream.jetstreamManager(connection);
    const config = { name: stream, subjects: [`${subject}.>`], retention: jetstream.RetentionPolicy.Workqueue };
    await manager.streams.info(stream).catch(async () => manager.streams.add(config));
    const storage = jetstream.StorageType.File;
    const keys = await new kv.Kvm(client).create(`${stream}_keys`, { history: 1, storage });
    const blobs = await new obj.Objm(client).create(`${stream}_blobs`, { storage });
    return new NatsTransport(
      connected,
      { stream, subject, keys, blobs, jetstream: client, manager, inbox: core.createInbox },
      options,
    );
  }

  private constructor({ connection, address }: Connected, rooms: Rooms, options: NatsOptions) {
    this.#connection = connection;
    this.#address = address;
    this.#rooms = rooms;
    this.#options = options;
    void this.#listen();
  }

  async offer(queue: string, unit: string, body: Uint8Array): Promise<void> {
    const { jetstream, subject } = this.#rooms;
    await this.#consumer(queue);
    await this.#try(`offer ${unit}`, () => jetstream.publish(`${subject}.${queue}.${unit}`, body, { msgID: unit }));
  }

  async claim(queues: readonly string[], signal: AbortSignal): Promise<Claim> {
    const { subject } = this.#rooms;
    await Promise.all(queues.map((queue) => this.#consumer(queue)));
    let wake = Promise.withResolvers<void>();
    const sounds = queues.map((queue) =>
      this.#connection.subscribe(`${subject}.${queue}.>`, { callback: () => wake.resolve() }),
    );
    const abort = (): void => wake.resolve();
    signal.addEventListener("abort", abort);
    try {
      while (true) {
        signal.throwIfAborted();
        wake = Promise.withResolvers();
        for (const queue of queues) {
          const message = await this.#try(`ask for ${queue}`, () => this.#next(queue));
          if (message) return this.#claimOf(queue, message);
        }
        const timer = setTimeout(wake.resolve, LOOK_EVERY);
        await wake.promise;
        clearTimeout(timer);
      }
    } finally {
      signal.removeEventListener("abort", abort);
      for (const sound of sounds) sound.unsubscribe();
    }
  }

  async withdraw(): Promise<void> {
    const { manager, stream } = this.#rooms;
    await this.#try("withdraw units", () => manager.streams.purge(stream));
  }

  async set(key: string, value: Uint8Array): Promise<void> {
    if (key.startsWith("worker.")) this.#own.add(key);
    await this.#try(`set ${key}`, () => this.#rooms.keys.put(key, value));
  }

  async unset(key: string): Promise<void> {
    await this.#try(`unset ${key}`, () => this.#rooms.keys.purge(key));
  }

  async watch(prefix: string, listener: KeyListener): Promise<() => void> {
    const key = prefix.endsWith(".") ? `${prefix}>` : prefix;
    const watching = await this.#try(`watch ${key}`, () => this.#rooms.keys.watch({ key }));
    const seeing = async (): Promise<void> => {
      for await (const entry of watching) listener(entry.key, entry.operation === "PUT" ? entry.value : undefined);
    };
    // The client comes back to a server that does; it fails where the keys are there no more.
    seeing().catch(() => !prefix.endsWith(".") && listener(prefix, undefined));
    return () => watching.stop();
  }

  async putBlob(bytes: Uint8Array): Promise<string> {
    const { blobs } = this.#rooms;
    const hash = hashOf(bytes);
    await this.#try(`keep blob ${hash}`, async () => {
      if (!(await this.#holds(hash))) await blobs.putBlob({ name: hash }, bytes);
    });
    return hash;
  }

  async getBlob(hash: string): Promise<Uint8Array> {
    const bytes = await this.#try(`read blob ${hash}`, () => this.#rooms.blobs.getBlob(hash));
    return verifiedBlob(hash, bytes ?? undefined);
  }

  async deleteBlob(hash: string): Promise<void> {
    await this.#try(`delete blob ${hash}`, async () => {
      if (await this.#holds(hash)) await this.#rooms.blobs.delete(hash);
    });
  }

  /** A store also knows of what was deleted. */
  async #holds(hash: string): Promise<boolean> {
    const info = await this.#rooms.blobs.info(hash);
    return info !== null && !info.deleted;
  }

  async close(): Promise<void> {
    if (this.#connection.isClosed()) return;
    const gone = Array.from(this.#own, (key) => this.#rooms.keys.purge(key));
    await Promise.allSettled(gone); // a server that is gone forgets by itself
    await this.#connection.close();
  }

  #try<T>(what: string, work: () => Promise<T>): Promise<T> {
    return patiently(work, {
      what: `${this.#address}: cannot ${what}`,
      isOver: () => this.#connection.isClosed(),
    });
  }

  /** One consumer a queue, whoever asks first; the learner's patience counts. */
  #consumer(queue: string): Promise<void> {
    const known = this.#consumers.get(queue) ?? this.#makeConsumer(queue);
    this.#consumers.set(queue, known);
    known.catch(() => this.#consumers.delete(queue));
    return known;
  }

  async #makeConsumer(queue: string): Promise<void> {
    const { manager, stream, subject } = this.#rooms;
    const { patience } = this.#options;
    const wait = (patience ?? 30_000) * MILLISECOND;
    const config: Partial<ConsumerConfig> = {
      durable_name: queue,
      ack_policy: "explicit",
      filter_subject: `${subject}.${queue}.>`,
      ack_wait: wait,
    };
    await this.#try(`make the queue ${queue}`, async () => {
      const found = await manager.consumers.info(stream, queue).catch(() => undefined);
      if (!found) await manager.consumers.add(stream, config);
      else if (patience !== undefined && found.config.ack_wait !== wait)
        await manager.consumers.update(stream, queue, { ack_wait: wait });
    });
  }

  /** The next unit of a queue, where there is one now. */
  async #next(queue: string): Promise<Msg | undefined> {
    const { stream } = this.#rooms;
    const ask = JSON.stringify({ batch: 1, no_wait: true });
    // A message keeps the subject under which it was offered, by which the client's own requests do not know it.
    const inbox = this.#rooms.inbox();
    const answers = this.#connection.subscribe(inbox, { max: 1, timeout: ANSWER_WITHIN });
    this.#connection.publish(`$JS.API.CONSUMER.MSG.NEXT.${stream}.${queue}`, ask, { reply: inbox });
    try {
      for await (const message of answers) {
        const { headers } = message;
        if (!headers || headers.code === 0) return message;
        if (headers.code === 404 || headers.code === 408) return undefined;
        throw new Error(`${headers.code} ${headers.description}`);
      }
    } catch (error) {
      // Of a queue whose units were withdrawn while somebody had one, servers of 2.9 say nothing; nor does a server that is away.
      if ((error as Error).name !== "TimeoutError") throw error;
    }
    return undefined;
  }

  #claimOf(queue: string, message: Msg): Claim {
    const connection = this.#connection;
    const unit = message.subject.slice(`${this.#rooms.subject}.${queue}.`.length);
    const reply = message.reply ?? "";
    return {
      unit,
      body: message.data,
      delivery: deliveryOf(reply),
      working: () => connection.publish(reply, "+WPI"),
      // Not waited for: a server does not answer of a unit that was withdrawn, and one that is done twice does no harm.
      done: async () => connection.publish(reply, "+ACK"),
      release: async () => connection.publish(reply, "-NAK"),
    };
  }

  async #listen(): Promise<void> {
    for await (const { type } of this.#connection.status())
      if (type === "disconnect" || type === "reconnect")
        this.#options.onNews?.(`${this.#address}: ${type === "disconnect" ? "lost" : "there again"}`);
  }
}
