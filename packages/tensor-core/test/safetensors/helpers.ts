/** A safetensors file put together by hand, so that the reader is not tested against the writer alone. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A file from raw header text and data bytes; the length field can be made to lie. */
export function fileBytes(header: unknown, data: Uint8Array | number, length?: bigint): Uint8Array {
  const json = new TextEncoder().encode(typeof header === "string" ? header : JSON.stringify(header));
  const body = typeof data === "number" ? new Uint8Array(data) : data;
  const bytes = new Uint8Array(8 + json.length + body.length);
  new DataView(bytes.buffer).setBigUint64(0, length ?? BigInt(json.length), true);
  bytes.set(json, 8);
  bytes.set(body, 8 + json.length);
  return bytes;
}

export function entry(
  dtype: string,
  shape: unknown,
  begin: number,
  end: number,
): { dtype: string; shape: unknown; data_offsets: number[] } {
  return { dtype, shape, data_offsets: [begin, end] };
}

/** A temporary directory that goes when the scope ends. */
export function temporaryDirectory(): { readonly path: string } & Disposable {
  const path = mkdtempSync(join(tmpdir(), "safetensors-"));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}

/** `count` bytes that differ from place to place. */
export function pattern(count: number, seed = 1): Uint8Array {
  return Uint8Array.from({ length: count }, (_, i) => Math.imul(i + seed, 0x9e3779b1) >>> 24);
}
