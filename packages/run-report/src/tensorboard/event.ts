// TensorBoard's `Event` with scalars, as protocol-buffer bytes, in the TFRecord frame of an event file.
//   Event   { double wall_time = 1; int64 step = 2; string file_version = 3; Summary summary = 5; }
//   Summary { repeated Value value = 1; }   Value { string tag = 1; float simple_value = 2; }
import { maskedCrc32c } from "./crc32c.ts";

export interface ScalarEvent {
  /** Seconds since 1970. */
  readonly wallTime: number;
  readonly step: number;
  /** By tag. A value that is not finite is written as NaN. */
  readonly scalars: Readonly<Record<string, number | null>>;
}

/** The record that an event file begins with. */
export function versionRecord(wallTime: number): Buffer {
  return frame(Buffer.concat([double(1, wallTime), delimited(3, Buffer.from("brain.Event:2"))]));
}

export function scalarRecord({ wallTime, step, scalars }: ScalarEvent): Buffer {
  const values = Object.entries(scalars).map(([tag, value]) =>
    delimited(1, Buffer.concat([delimited(1, Buffer.from(tag)), float(2, value ?? Number.NaN)])),
  );
  return frame(Buffer.concat([double(1, wallTime), varintField(2, step), delimited(5, Buffer.concat(values))]));
}

/** Length (u64), its checksum, the data, its checksum; little-endian. */
function frame(data: Buffer): Buffer {
  const length = Buffer.alloc(12);
  length.writeBigUInt64LE(BigInt(data.length));
  length.writeUInt32LE(maskedCrc32c(length.subarray(0, 8)), 8);
  const checksum = Buffer.alloc(4);
  checksum.writeUInt32LE(maskedCrc32c(data));
  return Buffer.concat([length, data, checksum]);
}

const wireType = { varint: 0, bits64: 1, delimited: 2, bits32: 5 } as const;

function key(field: number, type: keyof typeof wireType): Buffer {
  return varint(field * 8 + wireType[type]);
}

/** Seven bits a byte, lowest first; `value` is a whole number from 0 to 2^53. */
function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes.push((rest % 0x80) + 0x80);
  return Buffer.from([...bytes, rest]);
}

function varintField(field: number, value: number): Buffer {
  return Buffer.concat([key(field, "varint"), varint(value)]);
}

function delimited(field: number, content: Buffer): Buffer {
  return Buffer.concat([key(field, "delimited"), varint(content.length), content]);
}

function double(field: number, value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeDoubleLE(value);
  return Buffer.concat([key(field, "bits64"), bytes]);
}

function float(field: number, value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeFloatLE(value);
  return Buffer.concat([key(field, "bits32"), bytes]);
}
