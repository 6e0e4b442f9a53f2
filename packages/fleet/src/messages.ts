// What members say to one another, as JSON. All of it is parsed as if a stranger had sent it.
import { z } from "zod";
import { FleetError } from "./error.ts";

const MOST_BYTES = 2 ** 20;

const word = z.string().regex(/^[\w-]{1,64}$/);
const unitName = z.string().regex(/^[\w.-]{1,128}$/);
const hash = z.string().regex(/^[0-9a-f]{64}$/);
const text = z.string().max(4000);

/** Under `run`, by the learner: what the run is. */
export const announcementSchema = z.strictObject({
  /** Another with each start of the learner. */
  session: word,
  /** Milliseconds after which a silent worker is given up. */
  patience: z.int().min(1),
  run: z.json(),
});
export type Announcement = z.infer<typeof announcementSchema>;

/** Under `worker.<id>`, by a worker, again and again. */
export const presenceSchema = z.strictObject({
  session: word,
  roles: z.array(word).max(32),
  host: z.string().max(256),
  pid: z.int().min(0),
  /** What it works on. */
  unit: unitName.nullable(),
  /** Units that it has done. */
  done: z.int().min(0),
  error: text.nullable(),
  /** What it computes with, for the learner to compare. */
  facts: z.json(),
});
export type Presence = z.infer<typeof presenceSchema>;

/** Under `admit.<id>`, by the learner. */
export const admissionSchema = z.strictObject({ session: word, refused: text.nullable() });

/** The body of a unit. */
export const unitSchema = z.strictObject({ role: word, header: z.json() });

/** Under `result.<session>.<number>.<worker>`, by a worker: a blob, or why there is none. */
export const resultSchema = z.strictObject({
  unit: unitName,
  worker: word,
  blob: hash.nullable(),
  error: text.nullable(),
  milliseconds: z.number().min(0),
  /** As the claim says. */
  delivery: z.int().min(1).max(1_000_000),
});

export function encodeMessage<T>(schema: z.ZodType<T>, message: T): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(schema.parse(message)));
}

/** @throws FleetError `invalid` that names what it was to be */
export function decodeMessage<T>(schema: z.ZodType<T>, bytes: Uint8Array, what: string): T {
  try {
    if (bytes.length > MOST_BYTES) throw new Error(`it has ${bytes.length} bytes`);
    return schema.parse(JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes)));
  } catch (cause) {
    const reason = cause instanceof z.ZodError ? z.prettifyError(cause) : (cause as Error).message;
    throw new FleetError("invalid", `${what} is none: ${reason.slice(0, 500)}`, { cause });
  }
}
