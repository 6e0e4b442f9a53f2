// A message with numbers: a header of plain data, then arrays as they lie in memory. What comes from another machine is looked at before it is used.
import { z } from "zod";
import { FleetError } from "./error.ts";

/** Little-endian, as every WebGPU host is. */
export type Numbers =
  | Float32Array<ArrayBuffer>
  | Float64Array<ArrayBuffer>
  | Int32Array<ArrayBuffer>
  | Uint8Array<ArrayBuffer>;

const types = { f32: Float32Array, f64: Float64Array, i32: Int32Array, u8: Uint8Array } as const;
type TypeName = keyof typeof types;

export interface Frame {
  /** Plain data of anybody: parse it. */
  readonly header: unknown;
  readonly arrays: ReadonlyMap<string, Numbers>;
}

const MAGIC = 0x31465049; // IPF1
const ALIGNED = 8;
const MOST_HEADER_BYTES = 2 ** 28;

const prefaceSchema = z.strictObject({
  header: z.unknown(),
  arrays: z
    .array(
      z.strictObject({ name: z.string().max(200), type: z.enum(["f32", "f64", "i32", "u8"]), length: z.int().min(0) }),
    )
    .max(100_000),
});

/** The same header and arrays give the same bytes. */
export function packFrame(
  header: unknown,
  arrays: Iterable<readonly [name: string, values: Numbers]> = [],
): Uint8Array<ArrayBuffer> {
  const all = [...arrays];
  const listed = all.map(([name, values]) => ({ name, type: typeOf(values), length: values.length }));
  const preface = new TextEncoder().encode(JSON.stringify({ header, arrays: listed }));
  const start = aligned(8 + preface.length);
  const bytes = new Uint8Array(all.reduce((sum, [, values]) => sum + aligned(values.byteLength), start));
  const view = new DataView(bytes.buffer);
  view.setUint32(0, MAGIC, true);
  view.setUint32(4, preface.length, true);
  bytes.set(preface, 8);
  let at = start;
  for (const [, values] of all) {
    bytes.set(new Uint8Array(values.buffer, values.byteOffset, values.byteLength), at);
    at += aligned(values.byteLength);
  }
  return bytes;
}

/** @throws FleetError `invalid` for bytes that `packFrame` does not make */
export function unpackFrame(bytes: Uint8Array): Frame {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < 8 || view.getUint32(0, true) !== MAGIC) throw invalid("it does not begin as one");
  const length = view.getUint32(4, true);
  if (length > Math.min(MOST_HEADER_BYTES, bytes.length - 8)) throw invalid(`its header claims ${length} bytes`);
  const { header, arrays: listed } = prefaceOf(bytes.subarray(8, 8 + length));
  const arrays = new Map<string, Numbers>();
  let at = aligned(8 + length);
  for (const { name, type, length: count } of listed) {
    const size = count * types[type].BYTES_PER_ELEMENT;
    if (size > bytes.length - at)
      throw invalid(`its array ${name} claims ${size} bytes, and ${bytes.length - at} are left`);
    if (arrays.has(name)) throw invalid(`it has two arrays ${name}`);
    // A copy: a Buffer, which is a Uint8Array too, would be cut as a view of all that lies in its memory.
    arrays.set(name, new types[type](new Uint8Array(bytes.subarray(at, at + size)).buffer));
    at += aligned(size);
  }
  if (at !== bytes.length) throw invalid(`it ends at ${bytes.length} bytes, not at ${at}`);
  return { header, arrays };
}

/** An array of a frame. @throws FleetError `invalid` where there is none of this name, type and length */
export function arrayOf<T extends TypeName>(
  { arrays }: Frame,
  name: string,
  type: T,
  length?: number,
): InstanceType<(typeof types)[T]> & Numbers {
  const found = arrays.get(name);
  if (!(found instanceof types[type])) throw invalid(`it has no array ${name} of ${type}`);
  if (length !== undefined && found.length !== length)
    throw invalid(`its array ${name} has ${found.length} values, not ${length}`);
  return found as InstanceType<(typeof types)[T]> & Numbers;
}

function prefaceOf(bytes: Uint8Array): z.infer<typeof prefaceSchema> {
  try {
    return prefaceSchema.parse(JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes)));
  } catch (cause) {
    throw new FleetError("invalid", "a message is no frame: its header is no header", { cause });
  }
}

function typeOf(values: Numbers): TypeName {
  if (values instanceof Float32Array) return "f32";
  if (values instanceof Float64Array) return "f64";
  return values instanceof Int32Array ? "i32" : "u8";
}

function aligned(bytes: number): number {
  return Math.ceil(bytes / ALIGNED) * ALIGNED;
}

function invalid(problem: string): FleetError {
  return new FleetError("invalid", `a message is no frame: ${problem}`);
}
