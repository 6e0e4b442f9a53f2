// The header of a safetensors file: 8 bytes little-endian length n, n bytes of JSON
// `{ name: { dtype, shape, data_offsets: [begin, end] }, __metadata__?: { [key]: string } }`, then the data.
// Nothing in it is believed: every range is checked against the file's true size before a byte of data is read.
import { bytesPerElement, isSafetensorsDtype, type SafetensorsDtype, tensorByteLength } from "./dtype.ts";
import { SafetensorsError } from "./error.ts";
import { isRecord, parseStrictJson } from "./json.ts";

/** The longest header that is read: the format's own limit. */
export const MAX_HEADER_BYTES: number = 100_000_000;

/** What is known of a tensor without reading its data. */
export interface TensorInfo {
  readonly name: string;
  /** As the header has it. Data of another dtype than `SafetensorsDtype` is not read. */
  readonly dtype: string;
  /** Row-major, outermost dimension first; `[]` for a scalar. */
  readonly shape: readonly number[];
  readonly byteLength: number;
  /** The file that holds the data, and the position of its first byte there. */
  readonly file: string;
  readonly offset: number;
}

export interface Header {
  readonly tensors: ReadonlyMap<string, TensorInfo>;
  readonly metadata: Readonly<Record<string, string>>;
}

/**
 * The header's length from the first 8 bytes.
 * @throws SafetensorsError `truncated` or `header`.
 */
export function headerLength(prefix: Uint8Array, fileSize: number, file: string): number {
  const text = textOf(prefix);
  if (text === "version ") {
    const what =
      "a Git LFS pointer, not the file that it stands for: run `git lfs pull` in its repository, or download it again";
    throw new SafetensorsError("header", file, what);
  }
  if (text !== undefined) {
    const what = `text that begins with ${JSON.stringify(text)}, not safetensors: perhaps a page that was saved in its place; download it again`;
    throw new SafetensorsError("header", file, what);
  }
  if (fileSize < 8 || prefix.byteLength < 8) {
    throw new SafetensorsError("truncated", file, `${fileSize} bytes are too few for a safetensors file`);
  }
  const length = new DataView(prefix.buffer, prefix.byteOffset, 8).getBigUint64(0, true);
  if (length > BigInt(MAX_HEADER_BYTES)) {
    throw new SafetensorsError("header", file, `a header of ${length} bytes is over the limit of ${MAX_HEADER_BYTES}`);
  }
  if (length > BigInt(fileSize - 8)) {
    throw new SafetensorsError(
      "truncated",
      file,
      `the header takes ${length} bytes, the file has ${fileSize - 8} left`,
    );
  }
  return Number(length);
}

/** What the first bytes say where all are printable: a length in their place would be beyond any file's. */
function textOf(prefix: Uint8Array): string | undefined {
  const isText =
    prefix.byteLength === 8 && prefix.every((byte) => (byte >= 0x20 && byte < 0x7f) || byte === 10 || byte === 13);
  return isText ? String.fromCharCode(...prefix) : undefined;
}

/**
 * Parses and verifies a header. A tensor of an unknown dtype is taken as its byte range says; it is refused when it is read.
 * @param json the header's bytes, without the 8-byte length
 * @throws SafetensorsError `header`, `dtype`, `shape`, `offsets`, `duplicate` or `truncated`.
 */
export function parseHeader(json: Uint8Array, fileSize: number, file: string): Header {
  const root = parseStrictJson(json, file, "header");
  if (!isRecord(root)) throw new SafetensorsError("header", file, "the header is not a JSON object");
  const dataStart = 8 + json.byteLength;
  const tensors = new Map<string, TensorInfo>();
  let metadata: Record<string, string> = {};
  for (const [name, entry] of Object.entries(root)) {
    if (name === "__metadata__") metadata = parseMetadata(entry, file);
    else tensors.set(name, parseEntry(name, entry, dataStart, fileSize, file));
  }
  checkLayout([...tensors.values()], dataStart, fileSize, file);
  return { tensors, metadata };
}

function parseMetadata(value: unknown, file: string): Record<string, string> {
  if (value === null) return {}; // as some writers leave it
  if (!isRecord(value) || !Object.values(value).every((text) => typeof text === "string")) {
    throw new SafetensorsError("header", file, "__metadata__ is not an object of strings");
  }
  return value as Record<string, string>;
}

function parseEntry(name: string, entry: unknown, dataStart: number, fileSize: number, file: string): TensorInfo {
  const label = `tensor ${JSON.stringify(name)}`;
  if (!isRecord(entry)) throw new SafetensorsError("header", file, `${label} is not described by an object`);
  const { dtype, shape, data_offsets: offsets, ...unknown } = entry;
  const [unknownKey] = Object.keys(unknown);
  if (unknownKey !== undefined) {
    throw new SafetensorsError("header", file, `${label} has an unknown field ${JSON.stringify(unknownKey)}`);
  }
  if (typeof dtype !== "string") {
    throw new SafetensorsError("dtype", file, `${label} has the dtype ${JSON.stringify(dtype)}, which is no name`);
  }
  if (!isWholeNumbers(shape)) {
    throw new SafetensorsError("shape", file, `${label} has no list of whole numbers as its shape`);
  }
  const [begin, end, ...more] = isWholeNumbers(offsets) ? offsets : [];
  if (begin === undefined || end === undefined || more.length > 0 || begin > end) {
    throw new SafetensorsError("offsets", file, `${label} has data_offsets that are no range [begin, end]`);
  }
  if (end > fileSize - dataStart) {
    throw new SafetensorsError(
      "truncated",
      file,
      `${label} ends at data byte ${end}, the file has ${fileSize - dataStart}`,
    );
  }
  const byteLength = end - begin;
  const needed = isSafetensorsDtype(dtype) ? tensorByteLength(dtype, shape) : byteLength;
  if (byteLength !== needed) {
    const needs = needed === undefined ? "more than can be counted" : `${needed}`;
    throw new SafetensorsError(
      "shape",
      file,
      `${label} (${dtype} [${shape}]) needs ${needs} bytes, its range has ${byteLength}`,
    );
  }
  return { name, dtype, shape, byteLength, file, offset: dataStart + begin };
}

function isWholeNumbers(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((item) => Number.isSafeInteger(item) && item >= 0);
}

/** The format demands that the ranges tile the data: no overlap, no hole, nothing behind the last. */
function checkLayout(tensors: TensorInfo[], dataStart: number, fileSize: number, file: string): void {
  tensors.sort((a, b) => a.offset - b.offset || a.byteLength - b.byteLength);
  let end = dataStart;
  for (const tensor of tensors) {
    if (tensor.offset !== end) {
      const fault = tensor.offset < end ? "overlaps the tensor before it" : "leaves a hole before it";
      throw new SafetensorsError("offsets", file, `tensor ${JSON.stringify(tensor.name)} ${fault}`);
    }
    end += tensor.byteLength;
  }
  if (end !== fileSize) {
    throw new SafetensorsError("offsets", file, `${fileSize - end} bytes follow the last tensor`);
  }
}

/** A tensor to be written: what the header says of it. */
export interface TensorDescription {
  readonly name: string;
  readonly dtype: SafetensorsDtype;
  readonly shape: readonly number[];
}

/**
 * The first bytes of a file (length and JSON, padded with spaces to a multiple of 8) that holds these tensors in this order.
 * @throws SafetensorsError `duplicate`, `shape` or `header`.
 */
export function encodeHeader(
  tensors: readonly TensorDescription[],
  metadata: Readonly<Record<string, string>> | undefined,
  file: string,
): Uint8Array {
  // Null prototype: a tensor may be called "__proto__".
  const root: Record<string, unknown> = Object.create(null);
  if (metadata !== undefined && Object.keys(metadata).length > 0) root.__metadata__ = metadata;
  let begin = 0;
  for (const { name, dtype, shape } of tensors) {
    if (name === "__metadata__" || Object.hasOwn(root, name)) {
      throw new SafetensorsError(
        "duplicate",
        file,
        `tensor ${JSON.stringify(name)} is given twice or is a reserved name`,
      );
    }
    const byteLength = isSafetensorsDtype(dtype) ? tensorByteLength(dtype, shape) : undefined;
    if (byteLength === undefined) {
      throw new SafetensorsError(
        "shape",
        file,
        `tensor ${JSON.stringify(name)} has no valid size: ${dtype} [${shape}]`,
      );
    }
    root[name] = { dtype, shape, data_offsets: [begin, begin + byteLength] };
    begin += byteLength;
  }
  const json = new TextEncoder().encode(JSON.stringify(root));
  const length = Math.ceil(json.byteLength / 8) * 8;
  if (length > MAX_HEADER_BYTES)
    throw new SafetensorsError("header", file, `a header of ${length} bytes is over the limit`);
  const bytes = new Uint8Array(8 + length).fill(0x20);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(length), true);
  bytes.set(json, 8);
  return bytes;
}

/** Larger elements first, so that every tensor starts at a multiple of its element size; otherwise the given order. */
export function inAlignedOrder<T extends TensorDescription>(tensors: readonly T[]): T[] {
  return tensors.toSorted((a, b) => bytesPerElement(b.dtype) - bytesPerElement(a.dtype));
}
