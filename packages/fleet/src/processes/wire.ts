// What a worker in a child process and the process that started it say to each other, over Node's channel between the two.
import { z } from "zod";

const bytes = z.custom<Uint8Array>((value) => value instanceof Uint8Array);
const word = z.string().max(256);
const id = z.int().min(0);

/** From the worker. `claim` and `watch` are answered when there is something. */
export const requestSchema = z.discriminatedUnion("call", [
  z.strictObject({ id, call: z.literal("offer"), queue: word, unit: word, body: bytes }),
  z.strictObject({ id, call: z.literal("claim"), queues: z.array(word).max(32) }),
  z.strictObject({ id, call: z.literal("cancel"), claim: id }),
  z.strictObject({ id, call: z.literal("settle"), claim: id, how: z.enum(["working", "done", "release"]) }),
  z.strictObject({ id, call: z.literal("withdraw") }),
  z.strictObject({ id, call: z.literal("set"), key: word, value: bytes }),
  z.strictObject({ id, call: z.literal("unset"), key: word }),
  z.strictObject({ id, call: z.literal("watch"), prefix: word }),
  z.strictObject({ id, call: z.literal("unwatch"), watch: id }),
  z.strictObject({ id, call: z.literal("putBlob"), bytes }),
  z.strictObject({ id, call: z.literal("getBlob"), hash: word }),
  z.strictObject({ id, call: z.literal("deleteBlob"), hash: word }),
]);
export type Request = z.infer<typeof requestSchema>;

type WithoutId<T> = T extends unknown ? Omit<T, "id"> : never;
export type Call = WithoutId<Request>;

/** To the worker: an answer, or a key that a watch has seen. */
export type Reply =
  | { readonly to: number; readonly value?: unknown }
  | { readonly to: number; readonly code: string; readonly message: string }
  | { readonly watch: number; readonly key: string; readonly value: Uint8Array | undefined };
