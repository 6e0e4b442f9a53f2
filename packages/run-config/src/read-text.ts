// A file's text, of bounded size, and only of a regular file: a device or a pipe may never end.
import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";
import { ConfigError } from "./error.ts";

/** Configurations are written by hand. */
const MOST_BYTES = 2 ** 20;

/** @throws ConfigError `unreadable` */
export function readText(file: string, shown: string): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(readBytes(file));
  } catch (cause) {
    throw new ConfigError("unreadable", `${shown} cannot be read: ${(cause as Error).message}`, { cause });
  }
}

function readBytes(file: string): Uint8Array {
  // Opening a pipe would wait for its writer.
  const descriptor = openSync(file, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
  try {
    if (!fstatSync(descriptor).isFile()) throw new Error("it is not a regular file");
    const bytes = new Uint8Array(MOST_BYTES + 1);
    let length = 0;
    for (let read = 1; read > 0 && length < bytes.length; length += read)
      read = readSync(descriptor, bytes, length, bytes.length - length, null);
    if (length > MOST_BYTES) throw new Error(`it is larger than a configuration can be (${MOST_BYTES} bytes)`);
    return bytes.subarray(0, length);
  } finally {
    closeSync(descriptor);
  }
}
