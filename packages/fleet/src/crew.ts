// The learner's side: who works for it, what they were asked, and what came back.
import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { FleetError } from "./error.ts";
import {
  type Announcement,
  admissionSchema,
  announcementSchema,
  decodeMessage,
  encodeMessage,
  type Presence,
  presenceSchema,
  resultSchema,
  unitSchema,
} from "./messages.ts";
import type { Transport } from "./transport.ts";

export interface CrewOptions {
  readonly transport: Transport;
  /** What the run is: workers make themselves ready by it. */
  readonly run: Announcement["run"];
  /** Why a worker that computes with this may not take part; undefined where it may. */
  readonly refuse: (facts: unknown) => string | undefined;
  /** Milliseconds after which a silent worker is given up; default 30 000. */
  readonly patience?: number | undefined;
  /** Of the units, the share that two workers are asked for; default 0. */
  readonly verify?: number | undefined;
  readonly onNews?: ((text: string) => void) | undefined;
}

export interface UnitOf<T> {
  readonly role: string;
  /** Plain data. */
  readonly header: Announcement["run"];
  /** The result out of the bytes of a stranger. @throws for bytes that are none */
  parse(bytes: Uint8Array): T | Promise<T>;
}

/** A worker that was admitted. */
export interface CrewMember extends Omit<Presence, "facts" | "session"> {
  readonly id: string;
  /** The role of the unit that it works on. */
  readonly at: string | undefined;
}

/** What was done in a step, and by whom. */
export interface CrewStep extends CrewCounts {
  readonly workers: Readonly<
    Record<string, { readonly host: string; readonly units: number; readonly milliseconds: number }>
  >;
}

export interface CrewCounts {
  /** Results that were taken. */
  readonly units: number;
  /** Units that were handed out a second time, because their worker was slow or silent, or to be compared. */
  readonly copies: number;
  /** Units that nobody was left to do. */
  readonly returned: number;
  readonly bytesSent: number;
  readonly bytesReceived: number;
  /** Units and results. */
  readonly messages: number;
}

interface Pending {
  readonly role: string;
  readonly body: Uint8Array;
  readonly offered: number;
  copies: number;
  /** @throws for bytes that are no result */
  take(bytes: Uint8Array): Promise<void>;
  giveBack(): void;
  fail(error: FleetError): void;
}

const noCounts = () => ({ units: 0, copies: 0, returned: 0, bytesSent: 0, bytesReceived: 0, messages: 0 });

/** Without the number of the copy. */
function nameOf(unit: string): string {
  return unit.split(".").slice(0, 2).join(".");
}

const LOOK_EVERY = 250;
/** A unit is a straggler where it takes so many times as long as is usual, where that is known, and at least so many milliseconds. */
const [SLOW, SLOW_AT_LEAST] = [3, 2000];
const USUAL_OF = 64;
/** A worker whose units fail so often is sent away. */
const MOST_FAILURES = 3;

export class Crew {
  readonly #options: CrewOptions;
  readonly #patience: number;
  readonly #session = randomBytes(8).toString("hex");
  readonly #workers = new Map<string, { presence: Presence; seen: number; failures: number }>();
  readonly #refused = new Map<string, string>();
  readonly #pending = new Map<string, Pending>();
  /** By unit, the first result of the step. */
  readonly #settled = new Map<string, { readonly blob: string; readonly worker: string }>();
  readonly #durations = new Map<string, number[]>();
  readonly #blobs = new Set<string>();
  readonly #versions: string[] = [];
  readonly #ends: (() => void)[] = [];
  readonly #counts = noCounts();
  readonly #did = new Map<string, { host: string; units: number; milliseconds: number }>();
  #failure: FleetError | undefined;
  #numbered = 0;

  /** Takes the run over from a learner that may have died: what that one had offered is withdrawn. */
  static async open(options: CrewOptions): Promise<Crew> {
    const crew = new Crew(options);
    const { transport, run } = options;
    await transport.withdraw();
    crew.#ends.push(
      await transport.watch("worker.", (key, value) => crew.#see(key.slice("worker.".length), value)),
      await transport.watch(`result.${crew.#session}.`, (key, value) => value && void crew.#receive(key, value)),
    );
    const looking = setInterval(() => crew.#look(), LOOK_EVERY).unref();
    crew.#ends.push(() => clearInterval(looking));
    const announcement = { session: crew.#session, patience: crew.#patience, run };
    await transport.set("run", encodeMessage(announcementSchema, announcement));
    return crew;
  }

  private constructor(options: CrewOptions) {
    this.#options = options;
    this.#patience = options.patience ?? 30_000;
  }

  /** Those who were heard of lately. */
  members(): CrewMember[] {
    const now = performance.now();
    return [...this.#workers].flatMap(([id, { presence, seen }]) => {
      const { facts: _, session: __, ...rest } = presence;
      const at = rest.unit === null ? undefined : this.#pending.get(nameOf(rest.unit))?.role;
      return now - seen < this.#patience ? [{ id, ...rest, at }] : [];
    });
  }

  /** Whether anybody is there for a role. */
  has(role: string): boolean {
    return this.members().some(({ roles }) => roles.includes(role));
  }

  /** Waits until so many are there. @throws the signal's reason */
  async gather(count: number, signal: AbortSignal): Promise<void> {
    while (this.members().length < count)
      await sleep(LOOK_EVERY, undefined, { signal }).catch(() => signal.throwIfAborted());
  }

  /**
   * Has a unit done. Undefined where nobody is there for its role, or nobody is left, or the one who had it failed: then it is to be done here.
   * @throws FleetError `conflict`, `lost`; the signal's reason
   */
  async submit<T>(unit: UnitOf<T>, signal?: AbortSignal): Promise<T | undefined> {
    this.check();
    signal?.throwIfAborted();
    const { role, header } = unit;
    if (!this.has(role)) return undefined;
    const name = `${this.#session}.${this.#numbered++}`;
    const body = encodeMessage(unitSchema, { role, header });
    const { promise, resolve, reject } = Promise.withResolvers<T | undefined>();
    const pending: Pending = {
      ...{ role, body, offered: performance.now(), copies: 0 },
      take: async (bytes) => resolve(await unit.parse(bytes)),
      giveBack: () => resolve(undefined),
      fail: reject,
    };
    this.#pending.set(name, pending);
    const abort = (): void => reject(signal?.reason);
    signal?.addEventListener("abort", abort, { once: true });
    try {
      await this.#offer(name, pending);
      if (this.#isChosen() && this.#others(role) > 1) await this.#offer(name, pending);
      return await promise;
    } finally {
      signal?.removeEventListener("abort", abort);
      this.#pending.delete(name);
    }
  }

  /** Keeps bytes for units of this step. */
  async blob(bytes: Uint8Array): Promise<string> {
    const hash = await this.#options.transport.putBlob(bytes);
    if (!this.#blobs.has(hash)) this.#counts.bytesSent += bytes.length;
    this.#blobs.add(hash);
    return hash;
  }

  /** Keeps the bytes of a version of the policy, and of the one before it. */
  async version(bytes: Uint8Array): Promise<string> {
    const { transport } = this.#options;
    const hash = await transport.putBlob(bytes);
    if (this.#versions.includes(hash)) return hash;
    this.#counts.bytesSent += bytes.length;
    this.#versions.push(hash);
    for (const old of this.#versions.splice(0, Math.max(0, this.#versions.length - 2))) await transport.deleteBlob(old);
    return hash;
  }

  /**
   * Frees what the step has left, and takes back units that nobody needs any more.
   * @returns what was done since the last step's end
   * @throws FleetError `conflict`, `lost`
   */
  async endStep(): Promise<CrewStep> {
    this.check();
    const done = { ...this.#counts, workers: Object.fromEntries([...this.#did].sort()) };
    Object.assign(this.#counts, noCounts());
    this.#did.clear();
    const { transport } = this.#options;
    await transport.withdraw();
    this.#settled.clear();
    for (const hash of this.#blobs) await transport.deleteBlob(hash);
    this.#blobs.clear();
    return done;
  }

  /** @throws FleetError `conflict` */
  check(): void {
    if (this.#failure) throw this.#failure;
  }

  /** Leaves the workers waiting for another learner. */
  async close(): Promise<void> {
    for (const end of this.#ends) end();
    for (const { giveBack } of this.#pending.values()) giveBack();
    await this.#options.transport.withdraw().catch(() => {}); // a server that is gone holds nothing for long
  }

  async #offer(name: string, pending: Pending): Promise<void> {
    pending.copies++;
    if (pending.copies > 1) this.#counts.copies++;
    this.#counts.messages++;
    this.#counts.bytesSent += pending.body.length;
    const { role, body, copies } = pending;
    await this.#options.transport.offer(role, copies === 1 ? name : `${name}.${copies}`, body);
  }

  #others(role: string): number {
    return this.members().filter(({ roles }) => roles.includes(role)).length;
  }

  /** By the unit's number, so that the share is met over any stretch of them. */
  #isChosen(): boolean {
    const { verify = 0 } = this.#options;
    return Math.floor(this.#numbered * verify) > Math.floor((this.#numbered - 1) * verify);
  }

  #see(id: string, value: Uint8Array | undefined): void {
    if (!value) {
      if (this.#workers.delete(id)) this.#tell(`worker ${id} is gone`);
      return;
    }
    try {
      const presence = decodeMessage(presenceSchema, value, `the sign of worker ${id}`);
      if (presence.session !== this.#session || this.#refused.has(id)) return;
      const known = this.#workers.get(id);
      if (known) Object.assign(known, { presence, seen: performance.now() });
      else this.#admit(id, presence);
    } catch (error) {
      this.#tell((error as Error).message);
    }
  }

  #admit(id: string, presence: Presence): void {
    const reason = this.#options.refuse(presence.facts);
    if (reason !== undefined) {
      this.#dismiss(id, reason);
      return;
    }
    this.#workers.set(id, { presence, seen: performance.now(), failures: 0 });
    this.#answer(id, null);
    this.#tell(`worker ${id} on ${presence.host} takes part: ${presence.roles.join(", ")}`);
  }

  #dismiss(id: string, reason: string): void {
    this.#refused.set(id, reason);
    this.#workers.delete(id);
    this.#answer(id, reason);
    this.#tell(`worker ${id} is refused: ${reason}`);
  }

  #answer(id: string, refused: string | null): void {
    const message = encodeMessage(admissionSchema, {
      session: this.#session,
      refused: refused?.slice(0, 4000) ?? null,
    });
    this.#options.transport.set(`admit.${id}`, message).catch((error: Error) => this.#tell(error.message));
  }

  async #receive(key: string, value: Uint8Array): Promise<void> {
    try {
      const result = decodeMessage(resultSchema, value, `the result ${key}`);
      await this.#options.transport.unset(key);
      this.#counts.messages++;
      this.#counts.bytesReceived += value.length;
      const worker = this.#workers.get(result.worker);
      const name = nameOf(result.unit);
      if (!worker || !key.startsWith(`result.${name}.`)) return;
      if (result.blob) await this.#taken(name, result.worker, result.blob, result.milliseconds);
      else this.#failed(name, result.worker, result.error ?? "it says nothing of it");
    } catch (error) {
      this.#tell((error as Error).message);
    }
  }

  async #taken(name: string, worker: string, blob: string, milliseconds: number): Promise<void> {
    const before = this.#settled.get(name);
    this.#blobs.add(blob);
    if (before) {
      if (before.blob !== blob) this.#conflict(name, before.worker, worker);
      return;
    }
    const pending = this.#pending.get(name);
    if (!pending) return;
    this.#settled.set(name, { blob, worker });
    try {
      const bytes = await this.#options.transport.getBlob(blob);
      this.#counts.bytesReceived += bytes.length;
      await pending.take(bytes);
    } catch (error) {
      this.#settled.delete(name);
      this.#dismiss(worker, `its result of a unit for ${pending.role} is none: ${(error as Error).message}`);
      await this.#offer(name, pending);
      return;
    }
    this.#counts.units++;
    const host = this.#workers.get(worker)?.presence.host ?? "";
    const did = this.#did.get(worker) ?? { host, units: 0, milliseconds: 0 };
    this.#did.set(worker, { host, units: did.units + 1, milliseconds: Math.round(did.milliseconds + milliseconds) });
    const usual = this.#durations.get(pending.role) ?? [];
    usual.push(milliseconds);
    this.#durations.set(pending.role, usual.slice(-USUAL_OF));
  }

  #conflict(name: string, one: string, other: string): void {
    const hosts = [one, other].map((id) => `${id} on ${this.#workers.get(id)?.presence.host ?? "a host that left"}`);
    this.#failure ??= new FleetError(
      "conflict",
      `workers ${hosts.join(" and ")} gave other bytes for the same unit (${name}): one of the two computes wrongly. Test their memory and drivers, then resume the run without the faulty one`,
    );
    for (const { fail } of this.#pending.values()) fail(this.#failure);
  }

  #failed(name: string, id: string, error: string): void {
    const worker = this.#workers.get(id);
    const pending = this.#pending.get(name);
    this.#tell(`worker ${id} failed at a unit, which is done here: ${error}`);
    if (worker && ++worker.failures >= MOST_FAILURES)
      this.#dismiss(id, `${worker.failures} of its units failed, the last by: ${error}`);
    if (pending) this.#returned(pending);
  }

  #returned(pending: Pending): void {
    this.#counts.returned++;
    pending.giveBack();
  }

  /** Units that nobody is left for come back; those that take long are handed out again to somebody who waits. */
  #look(): void {
    const members = this.members();
    const busy = new Set(members.flatMap(({ unit }) => unit ?? []));
    const idle = members.filter(({ unit }) => unit === null);
    const left = new Set<string>();
    for (const [name, pending] of this.#pending) {
      const { role, copies, offered } = pending;
      if (!members.some(({ roles }) => roles.includes(role))) {
        if (!left.has(role)) this.#tell(`nobody is left for ${role}: its units are done here`);
        left.add(role);
        this.#returned(pending);
        continue;
      }
      const durations = this.#durations.get(role) ?? [];
      const usual = durations.toSorted((a, b) => a - b)[durations.length >> 1] ?? Number.POSITIVE_INFINITY;
      const isSlow = performance.now() - offered > Math.max(SLOW_AT_LEAST, SLOW * usual);
      const waiting = idle.findIndex(({ roles }) => roles.includes(role));
      if (!isSlow || copies > 1 || waiting < 0 || this.#settled.has(name)) continue;
      const isQueued = !busy.has(name) && this.#pending.size > busy.size + idle.length;
      if (isQueued) continue;
      idle.splice(waiting, 1);
      this.#offer(name, pending).catch((error: Error) => this.#tell(error.message));
    }
  }

  #tell(text: string): void {
    this.#options.onNews?.(text);
  }
}
