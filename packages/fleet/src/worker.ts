// A worker: it learns of the run, says what it computes with, and when it is admitted takes units until it is told to stop.
import { hostname } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import type { z } from "zod";
import { FleetError } from "./error.ts";
import {
  type Announcement,
  admissionSchema,
  announcementSchema,
  decodeMessage,
  encodeMessage,
  presenceSchema,
  resultSchema,
  unitSchema,
} from "./messages.ts";
import { Asking } from "./questions.ts";
import { type Claim, ownQueue, type Transport } from "./transport.ts";

/** What a worker is for one run. */
export interface Member {
  readonly roles: readonly string[];
  /** What it computes with, as plain data: the learner compares it with its own. */
  readonly facts: z.infer<ReturnType<typeof z.json>>;
  /** The result of a unit: the same bytes for the same unit, whoever is asked and whenever. */
  handle(role: string, header: unknown, context: UnitContext): Promise<Uint8Array>;
  close(): Promise<void>;
}

export interface UnitContext {
  blob(hash: string): Promise<Uint8Array>;
  /** What the learner answers. @throws FleetError `refused` with what stands against it, `lost` */
  ask(question: unknown): Promise<unknown>;
  readonly signal: AbortSignal;
}

export interface WorkOptions {
  readonly transport: Transport;
  /** A word of its own. */
  readonly id: string;
  /** Makes ready for a run as its learner announces it. */
  open(run: Announcement["run"]): Promise<Member>;
  readonly signal: AbortSignal;
  readonly onNews?: ((text: string) => void) | undefined;
}

/** Milliseconds between signs of life, and before what is lost is tried again. */
const [SIGN_EVERY, AGAIN_AFTER] = [2000, 1000];
const LONGEST_ERROR = 4000;

/** Works until the signal aborts or the run is removed. @throws FleetError `refused` where the learner does not admit it; what `open` throws */
export async function work(given: WorkOptions): Promise<void> {
  const { transport } = given;
  const runs = new Latest<Announcement>();
  const gone = new AbortController();
  const end = await transport.watch("run", (_key, value) => {
    if (!value) gone.abort();
    else heard(given, () => runs.set(decodeMessage(announcementSchema, value, "the announcement of the run")));
  });
  const signal = AbortSignal.any([given.signal, gone.signal]);
  const options = { ...given, signal };
  let opened: { readonly run: string; readonly member: Member } | undefined;
  try {
    while (!signal.aborted) {
      const announcement = await runs.next(signal);
      if (!announcement) break;
      const run = JSON.stringify(announcement.run);
      if (opened?.run !== run) {
        await opened?.member.close();
        opened = undefined;
        opened = { run, member: await options.open(announcement.run) };
      }
      if (runs.current !== announcement) continue; // the learner has begun anew meanwhile
      await new Shift(options, announcement, opened.member).last(runs.changed());
    }
  } finally {
    end();
    await opened?.member.close();
  }
}

/** The time of one session of the learner. */
class Shift {
  readonly #options: WorkOptions;
  readonly #announcement: Announcement;
  readonly #member: Member;
  #asking: Asking | undefined;
  #unit: string | null = null;
  #done = 0;
  #error: string | null = null;

  constructor(options: WorkOptions, announcement: Announcement, member: Member) {
    this.#options = options;
    this.#announcement = announcement;
    this.#member = member;
  }

  async last(over: AbortSignal): Promise<void> {
    const { transport, id, onNews } = this.#options;
    const signal = AbortSignal.any([this.#options.signal, over]);
    const admitted = new Latest<string | null>();
    const { session } = this.#announcement;
    const end = await transport.watch(`admit.${id}`, (_key, value) =>
      heard(this.#options, () => {
        const said = value && decodeMessage(admissionSchema, value, "an admission");
        if (said && said.session === session) admitted.set(said.refused);
      }),
    );
    this.#asking = await Asking.open(transport, session, id);
    const signs = setInterval(() => void this.#sign(), SIGN_EVERY);
    try {
      await this.#sign();
      const refused = await admitted.next(signal);
      if (refused === undefined) return;
      if (refused !== null) throw new FleetError("refused", refused);
      onNews?.(`admitted, for ${this.#member.roles.join(", ")}`);
      while (!signal.aborted) {
        if (admitted.current) throw new FleetError("refused", admitted.current);
        await this.#next(signal);
      }
    } finally {
      clearInterval(signs);
      end();
      this.#asking.close();
    }
  }

  /** Whoever cannot be reached now is told with the next sign. */
  async #sign(): Promise<void> {
    const { transport, id } = this.#options;
    const { roles, facts } = this.#member;
    const own = { session: this.#announcement.session, roles: [...roles], host: hostname(), pid: process.pid };
    const message = { ...own, unit: this.#unit, done: this.#done, error: this.#error, facts };
    await transport.set(`worker.${id}`, encodeMessage(presenceSchema, message)).catch(() => {});
  }

  async #next(signal: AbortSignal): Promise<void> {
    const { transport, id, onNews } = this.#options;
    try {
      const claim = await transport.claim([ownQueue(id), ...this.#member.roles], signal);
      await this.#take(claim, signal);
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof FleetError) || error.code !== "lost") throw error;
      onNews?.(`${error.message}; trying again`);
      await sleep(AGAIN_AFTER, undefined, { signal }).catch(() => {});
    }
  }

  async #take(claim: Claim, signal: AbortSignal): Promise<void> {
    this.#unit = claim.unit;
    void this.#sign();
    const holding = setInterval(() => claim.working(), this.#announcement.patience / 4);
    try {
      await this.#work(claim, signal);
      this.#done++;
    } finally {
      clearInterval(holding);
      this.#unit = null;
      void this.#sign();
    }
  }

  async #work(claim: Claim, signal: AbortSignal): Promise<void> {
    const { transport, id, onNews } = this.#options;
    const began = performance.now();
    let blob: string | null = null;
    let error: string | null = null;
    try {
      const { role, header } = decodeMessage(unitSchema, claim.body, `the unit ${claim.unit}`);
      const ask = async (question: unknown): Promise<unknown> => this.#asking?.ask(question, signal);
      const made = await this.#member.handle(role, header, { blob: (hash) => transport.getBlob(hash), ask, signal });
      blob = await transport.putBlob(made);
    } catch (cause) {
      if (signal.aborted || isLost(cause)) {
        await claim.release();
        throw cause;
      }
      error = (cause instanceof Error ? cause.message : String(cause)).slice(0, LONGEST_ERROR);
      this.#error = error;
      onNews?.(`unit ${claim.unit} failed: ${error}`);
    }
    const { unit, delivery } = claim;
    const message = { unit, worker: id, blob, error, delivery, milliseconds: performance.now() - began };
    await transport.set(`result.${unit}.${id}`, encodeMessage(resultSchema, message));
    await claim.done();
  }
}

/** What strangers write under the keys of a run ends no worker. */
function heard({ onNews }: Pick<WorkOptions, "onNews">, read: () => void): void {
  try {
    read();
  } catch (error) {
    onNews?.((error as Error).message);
  }
}

function isLost(cause: unknown): boolean {
  return cause instanceof FleetError && cause.code === "lost";
}

/** The latest of values that come one after another. */
class Latest<T> {
  current: T | undefined;
  #news = Promise.withResolvers<void>();
  #seen: T | undefined;
  #changed = new AbortController();

  set(value: T): void {
    this.current = value;
    this.#news.resolve();
    this.#changed.abort();
    this.#changed = new AbortController();
  }

  /** Aborts with the next value. */
  changed(): AbortSignal {
    return this.#changed.signal;
  }

  /** The latest value, when it is another than this has given; undefined where the signal aborts before. */
  async next(signal: AbortSignal): Promise<T | undefined> {
    while (this.current === undefined || this.current === this.#seen) {
      if (signal.aborted) return undefined;
      this.#news = Promise.withResolvers();
      const aborted = new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
      await Promise.race([this.#news.promise, aborted]);
    }
    this.#seen = this.current;
    return this.current;
  }
}
