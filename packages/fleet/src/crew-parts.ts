// What a crew is made with, is asked for, keeps of a unit, and tells.
import type { FleetError } from "./error.ts";
import type { Announcement, Presence } from "./messages.ts";
import type { Answerer } from "./questions.ts";
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
  /** Versions of the policy that are kept for workers; default 2. */
  readonly versions?: number | undefined;
  /** What workers may ask while they do a unit; default nothing. */
  readonly answer?: Answerer | undefined;
  readonly onNews?: ((text: string) => void) | undefined;
}

export interface UnitOf<T> {
  readonly role: string;
  /** What it is about, for people; default the role. */
  readonly label?: string | undefined;
  /** How many times the work it is that units of its role are as a rule; default 1. What is slow is judged by it. */
  readonly size?: number | undefined;
  /** Plain data. */
  readonly header: Announcement["run"];
  /** The result out of the bytes of a stranger. @throws for bytes that are none */
  parse(bytes: Uint8Array): T | Promise<T>;
}

/** A worker that was admitted. */
export interface CrewMember extends Omit<Presence, "facts" | "session"> {
  readonly id: string;
  /** What the unit is about that it works on. */
  readonly at: string | undefined;
}

/** What was done in a step, and by whom. */
export interface CrewStep extends CrewCounts {
  /** Since the last step's end, and of them those in which any unit was out. */
  readonly milliseconds: number;
  readonly waited: number;
  readonly workers: Readonly<Record<string, WorkDone>>;
}

export interface WorkDone {
  readonly host: string;
  readonly units: number;
  readonly milliseconds: number;
  /** Units by role. */
  readonly roles: Readonly<Record<string, number>>;
}

export interface CrewCounts {
  /** Results that were taken. */
  readonly units: number;
  /** Units that were handed out a second time, because their worker was slow or silent, or to be compared. */
  readonly copies: number;
  /** How often units were handed out again of which a worker had fallen silent or given them back. */
  readonly redelivered: number;
  /** Units that nobody was left to do. */
  readonly returned: number;
  readonly bytesSent: number;
  readonly bytesReceived: number;
  /** Units and results. */
  readonly messages: number;
}

/** A unit that is out. */
export interface Pending {
  readonly role: string;
  readonly label: string;
  readonly size: number;
  readonly body: Uint8Array;
  readonly offered: number;
  copies: number;
  /** Who was handed the last copy. */
  helper?: string;
  /** @throws for bytes that are no result */
  take(bytes: Uint8Array): Promise<void>;
  giveBack(): void;
  fail(error: FleetError): void;
}

export function noCounts(): { -readonly [name in keyof CrewCounts]: number } {
  return { units: 0, copies: 0, redelivered: 0, returned: 0, bytesSent: 0, bytesReceived: 0, messages: 0 };
}

/** Of a unit, without the number of the copy. */
export function nameOf(unit: string): string {
  return unit.split(".").slice(0, 2).join(".");
}
