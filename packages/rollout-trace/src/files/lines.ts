// JSON lines that show damage: each ends in `,"crc32":"xxxxxxxx"}`, the CRC-32 of all bytes of records up to there, so that a
// changed, missing or moved line is noticed at that line.
import { crc32 } from "node:zlib";
import { TraceError } from "../error.ts";

/** A line beyond this is refused unread: the largest real ones, of long prompts, have about 1 MB. */
const maximumLineBytes = 64 * 2 ** 20;

const newline = 0x0a;
const utf8 = new TextDecoder("utf-8", { fatal: true });
const suffixLength = ',"crc32":"00000000"}'.length;

export type SealedLine = { readonly line: Buffer; readonly checksum: number };

/** The line of a record, newline included. `previous` is the checksum of the line before, 0 for the first. */
export function sealLine(record: object, previous: number): SealedLine {
  const body = Buffer.from(JSON.stringify(record).slice(0, -1));
  const checksum = crc32(body, previous);
  const line = Buffer.concat([body, Buffer.from(`,"crc32":"${hex(checksum)}"}\n`)]);
  if (line.length > maximumLineBytes) {
    throw new TraceError(
      "too_large",
      `a record of ${line.length} bytes is beyond the ${maximumLineBytes} that a line may have`,
    );
  }
  return { line, checksum };
}

/** The checksum of a line without its newline. @throws TraceError `corrupt` where the line says another one */
export function checkLine(line: Buffer, previous: number): number {
  const body = bodyOf(line);
  const checksum = crc32(body, previous);
  const suffix = line.subarray(body.length).toString("latin1");
  if (suffix === `,"crc32":"${hex(checksum)}"}`) return checksum;
  throw new TraceError("corrupt", "the checksum does not match: bytes were changed, or a line is missing or moved");
}

function bodyOf(line: Buffer): Buffer {
  return line.subarray(0, Math.max(line.length - suffixLength, 0));
}

/** The record of a line without its newline. @throws TraceError `corrupt` */
export function openLine(line: Buffer, previous: number): { readonly record: unknown; readonly checksum: number } {
  const checksum = checkLine(line, previous);
  const body = bodyOf(line);
  try {
    return { record: JSON.parse(`${utf8.decode(body)}}`), checksum };
  } catch (cause) {
    throw new TraceError("corrupt", "the line is no JSON in UTF-8", { cause });
  }
}

/**
 * Cuts a stream of bytes at newlines, holding no more than one line.
 * @throws TraceError `too_large`; `torn` where bytes follow the last newline
 */
export async function* splitLines(
  chunks: AsyncIterable<Uint8Array>,
  maximum: number = maximumLineBytes,
): AsyncGenerator<Buffer> {
  let pieces: Uint8Array[] = [];
  let held = 0;
  for await (const chunk of chunks) {
    let start = 0;
    for (let end = chunk.indexOf(newline); end >= 0; end = chunk.indexOf(newline, start)) {
      checkLength(held + end - start, maximum);
      yield Buffer.concat([...pieces, chunk.subarray(start, end)]);
      pieces = [];
      held = 0;
      start = end + 1;
    }
    held += chunk.length - start;
    checkLength(held, maximum);
    if (start < chunk.length) pieces.push(chunk.slice(start));
  }
  if (held > 0) throw new TraceError("torn", "the line stops before its end");
}

function checkLength(length: number, maximum: number): void {
  if (length > maximum) throw new TraceError("too_large", `the line is longer than ${maximum} bytes`);
}

function hex(checksum: number): string {
  return checksum.toString(16).padStart(8, "0");
}
