// The learner's side: who works for it, what they were asked, and what came back.
import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import {
  type CrewMember,
  type CrewOptions,
  type CrewStep,
  nameOf,
  noCounts,
  type Pending,
  type UnitOf,
  type WorkDone,
} from "./crew-parts.ts";
import { FleetError } from "./error.ts";
import {
  admissionSchema,
  announcementSchema,
  decodeMessage,
  encodeMessage,
  type Presence,
  presenceSchema,
  resultSchema,
  unitSchema,
} from "./messages.ts";
import { answerQuestions } from "./questions.ts";
import { ownQueue } from "./transport.ts";

const [LOOK_EVERY, CHECK_EVERY] = [250, 20];
/** A unit is a straggler where it takes so many times as long as is usual for its size, where that is known, and at least so many milliseconds. */
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
  /** Second opinions that are out: who is to give them. */
  readonly #checks = new Map<string, string>();
  readonly #durations = new Map<string, number[]>();
  readonly #blobs = new Set<string>();
  readonly #versions: string[] = [];
  readonly #ends: (() => void)[] = [];
  readonly #counts = noCounts();
  readonly #did = new Map<string, WorkDone>();
  /** Units that are out, and milliseconds in which any was. */
  #out = { units: 0, since: 0, milliseconds: 0 };
  #stepBegan = performance.now();
  #failure: FleetError | undefined;
  #numbered = 0;

  /** Takes the run over from a learner that may have died: what that one had offered is withdrawn. */
  static async open(options: CrewOptions): Promise<Crew> {
    const crew = new Crew(options);
    const { transport, run, answer } = options;
    await transport.withdraw();
    if (answer) crew.#ends.push(await answerQuestions(transport, crew.#session, answer, (text) => crew.#tell(text)));
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
      const at = rest.unit === null ? undefined : this.#pending.get(nameOf(rest.unit))?.label;
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
    const { role, header, label = role, size = 1 } = unit;
    if (!this.has(role)) return undefined;
    const name = `${this.#session}.${this.#numbered++}`;
    const body = encodeMessage(unitSchema, { role, header });
    const { promise, resolve, reject } = Promise.withResolvers<T | undefined>();
    const pending: Pending = {
      ...{ role, label, size, body, offered: performance.now(), copies: 0 },
      take: async (bytes) => resolve(await unit.parse(bytes)),
      giveBack: () => resolve(undefined),
      fail: reject,
    };
    this.#pending.set(name, pending);
    if (this.#out.units++ === 0) this.#out.since = performance.now();
    const abort = (): void => reject(signal?.reason);
    signal?.addEventListener("abort", abort, { once: true });
    try {
      await this.#offer(name, pending);
      return await promise;
    } finally {
      signal?.removeEventListener("abort", abort);
      this.#pending.delete(name);
      if (--this.#out.units === 0) this.#out.milliseconds += performance.now() - this.#out.since;
    }
  }

  /** Keeps bytes for units of this step. */
  async blob(bytes: Uint8Array): Promise<string> {
    const hash = await this.#options.transport.putBlob(bytes);
    if (!this.#blobs.has(hash)) this.#counts.bytesSent += bytes.length;
    this.#blobs.add(hash);
    return hash;
  }

  /** Keeps the bytes of a version of the policy, and of the last ones before it. */
  async version(bytes: Uint8Array): Promise<string> {
    const { transport, versions: kept = 2 } = this.#options;
    const hash = await transport.putBlob(bytes);
    if (this.#versions.includes(hash)) return hash;
    this.#counts.bytesSent += bytes.length;
    this.#versions.push(hash);
    for (const old of this.#versions.splice(0, Math.max(0, this.#versions.length - kept)))
      await transport.deleteBlob(old);
    return hash;
  }

  /**
   * Waits for second opinions, for as long as a silent worker is waited for, and frees what the step has left. Units that nobody needs any more are
   * taken back where none of a later step are out.
   * @returns what was done since the last step's end
   * @throws FleetError `conflict`, `lost`
   */
  async endStep(): Promise<CrewStep> {
    await this.#checked();
    const done = { ...this.#counts, ...this.#times(), workers: Object.fromEntries([...this.#did].sort()) };
    Object.assign(this.#counts, noCounts());
    this.#did.clear();
    const { transport } = this.#options;
    if (this.#pending.size === 0) await transport.withdraw();
    this.#settled.clear();
    for (const hash of this.#blobs) await transport.deleteBlob(hash);
    this.#blobs.clear();
    return done;
  }

  #times(): Pick<CrewStep, "milliseconds" | "waited"> {
    const now = performance.now();
    const { units, since, milliseconds: waited } = this.#out;
    const times = { milliseconds: now - this.#stepBegan, waited: waited + (units > 0 ? now - since : 0) };
    this.#out = { units, since: now, milliseconds: 0 };
    this.#stepBegan = now;
    return { milliseconds: Math.round(times.milliseconds), waited: Math.round(times.waited) };
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

  /** @param helper the one worker who gets it; default whoever asks first */
  async #offer(name: string, pending: Pending, helper?: string): Promise<void> {
    pending.copies++;
    if (helper !== undefined) pending.helper = helper;
    if (pending.copies > 1) this.#counts.copies++;
    this.#counts.messages++;
    this.#counts.bytesSent += pending.body.length;
    const { role, body, copies } = pending;
    const queue = helper === undefined ? role : ownQueue(helper);
    await this.#options.transport.offer(queue, copies === 1 ? name : `${name}.${copies}`, body);
  }

  /** By the unit's number, so that the share is met over any stretch of them. */
  #isChosen(name: string): boolean {
    const { verify = 0 } = this.#options;
    const number = Number(name.split(".")[1]);
    return Math.floor((number + 1) * verify) > Math.floor(number * verify);
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
      this.#counts.redelivered += result.delivery - 1;
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
    const pending = this.#pending.get(name);
    if (before || !pending) {
      this.#blobs.add(blob);
      if (before && before.worker !== worker) this.#checks.delete(name);
      if (before && before.blob !== blob) this.#conflict(name, before.worker, worker);
      return;
    }
    this.#settled.set(name, { blob, worker });
    const checker = this.#checkerOf(name, worker, pending.role);
    if (checker !== undefined) this.#checks.set(name, checker);
    try {
      const bytes = await this.#options.transport.getBlob(blob);
      this.#counts.bytesReceived += bytes.length;
      await pending.take(bytes);
    } catch (error) {
      this.#settled.delete(name);
      this.#checks.delete(name);
      this.#dismiss(worker, `its result of a unit for ${pending.role} is none: ${(error as Error).message}`);
      await this.#offer(name, pending);
      return;
    } finally {
      this.#blobs.add(blob); // a step that ends while it is read must not delete it
    }
    this.#counts.units++;
    this.#credit(worker, pending.role, milliseconds);
    const usual = this.#durations.get(pending.role) ?? [];
    usual.push(milliseconds / pending.size);
    this.#durations.set(pending.role, usual.slice(-USUAL_OF));
    if (checker !== undefined) await this.#offer(name, pending, checker);
  }

  /** Another worker, one that waits where there is any, for a unit that two are to do. */
  #checkerOf(name: string, worker: string, role: string): string | undefined {
    if (!this.#isChosen(name)) return undefined;
    const others = this.members().filter(({ id, roles }) => id !== worker && roles.includes(role));
    return (others.find(({ unit }) => unit === null) ?? others[0])?.id;
  }

  /** Waits for second opinions of those who are there. */
  async #checked(): Promise<void> {
    const until = performance.now() + this.#patience;
    const isOut = (): boolean => this.members().some(({ id }) => [...this.#checks.values()].includes(id));
    while (!this.#failure && isOut() && performance.now() < until) await sleep(CHECK_EVERY);
    if (!this.#failure && this.#checks.size > 0) this.#tell(`${this.#checks.size} units had no second opinion`);
    this.#checks.clear();
    this.check();
  }

  #credit(worker: string, role: string, milliseconds: number): void {
    const host = this.#workers.get(worker)?.presence.host ?? "";
    const did = this.#did.get(worker) ?? { host, units: 0, milliseconds: 0, roles: {} };
    this.#did.set(worker, {
      ...{ host, units: did.units + 1, milliseconds: Math.round(did.milliseconds + milliseconds) },
      roles: { ...did.roles, [role]: (did.roles[role] ?? 0) + 1 },
    });
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
    this.#tell(`worker ${id} failed at a unit${pending ? ", which is done here" : ""}: ${error}`);
    if (this.#checks.get(name) === id) this.#checks.delete(name);
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
      const { role, size, helper, offered } = pending;
      if (!members.some(({ roles }) => roles.includes(role))) {
        if (!left.has(role)) this.#tell(`nobody is left for ${role}: its units are done here`);
        left.add(role);
        this.#returned(pending);
        continue;
      }
      const durations = this.#durations.get(role) ?? [];
      const usual = durations.toSorted((a, b) => a - b)[durations.length >> 1] ?? Number.POSITIVE_INFINITY;
      const isSlow = performance.now() - offered > Math.max(SLOW_AT_LEAST, SLOW * size * usual);
      const waiting = idle.findIndex(({ roles }) => roles.includes(role));
      const isHelped = members.some(({ id }) => id === helper);
      if (!isSlow || isHelped || waiting < 0 || this.#settled.has(name)) continue;
      const isQueued = !busy.has(name) && this.#pending.size > busy.size + idle.length;
      if (isQueued) continue;
      const [chosen] = idle.splice(waiting, 1);
      this.#offer(name, pending, chosen?.id).catch((error: Error) => this.#tell(error.message));
    }
  }

  #tell(text: string): void {
    this.#options.onNews?.(text);
  }
}
