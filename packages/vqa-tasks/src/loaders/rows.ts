// Data files to rows, streaming: JSON Lines by line, TSV by line, parquet by slices of a row group, JSON by entry (a JSON
// document is read whole, as it cannot be cut). A row that cannot be read is handed on as a fault with its number.
import { pipeline, Readable } from "node:stream";
import { createGunzip } from "node:zlib";
import { VqaTasksError } from "../error.ts";
import { isPointer, pointer } from "./below.ts";
import type { DataFile } from "./files.ts";
import { parquetRows } from "./parquet.ts";

/** `row` counts from 1: lines of a text file, entries of a document, rows of a parquet file. */
export type Row = { readonly row: number; readonly value: unknown } | { readonly row: number; readonly fault: string };

/** In bytes. A document is parsed as one, which takes many times its length. */
const LONGEST_LINE = 2 ** 26;
const LARGEST_DOCUMENT = 2 ** 26;
/** What a document or line may hold of lists, objects and members: each costs tens of bytes, whatever it is written with. */
const MOST_VALUES = 2 ** 23;

/** @throws VqaTasksError `bad_row` where the file as a whole cannot be read */
export async function* readRows(file: DataFile): AsyncGenerator<Row> {
  const blob = await file.open();
  const name = file.name.toLowerCase().replace(/\.gz$/, "");
  try {
    if (isPointer(await blob.slice(0, 64).text())) throw pointer(file.name);
    if (name.endsWith(".parquet")) yield* numbered(parquetRows(blob));
    else if (name.endsWith(".jsonl")) yield* jsonLines(bytesOf(file, blob));
    else if (name.endsWith(".tsv")) yield* tsvRows(bytesOf(file, blob));
    else yield* jsonEntries(bytesOf(file, blob));
  } catch (error) {
    if (error instanceof VqaTasksError) throw error;
    throw new VqaTasksError("bad_row", `${file.name}: ${messageOf(error, file.name)}`, { cause: error });
  }
}

function messageOf(error: unknown, name: string): string {
  if (!(error instanceof Error)) return String(error);
  const isZlib = isPacked(name) && "code" in error && /^Z_/.test(String(error.code));
  return isZlib ? `cannot be unpacked: no gzip file, or damaged (${error.message})` : error.message;
}

type ByteStream = AsyncIterable<Uint8Array>;

const isPacked = (name: string): boolean => /\.gz$/i.test(name);

function bytesOf(file: DataFile, blob: Blob): ByteStream {
  return isPacked(file.name) ? unpacked(blob) : blob.stream();
}

/** All members of a gzip file, one after the other. Zeros behind the last one, as tapes and blocks leave them, are no data. */
async function* unpacked(blob: Blob): AsyncGenerator<Uint8Array> {
  const gunzip = createGunzip();
  pipeline(Readable.from(blob.stream()), gunzip, () => {}); // what fails is heard by who reads
  yield* gunzip;
  let at = gunzip.bytesWritten;
  for await (const rest of blob.slice(at).stream() as AsyncIterable<Uint8Array>) {
    const data = rest.findIndex((byte) => byte !== 0);
    if (data !== -1)
      throw new Error(`what lies behind zeros, from byte ${at + data} on, is not read; pack the file anew`);
    at += rest.length;
  }
}

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const NOT_UTF8 = "not UTF-8; save the file in that encoding";

/** The text, or undefined where the bytes are no UTF-8. A byte order mark before it is left out: files that were put together have several. */
function textOf(bytes: Uint8Array): string | undefined {
  try {
    const text = decoder.decode(bytes);
    return text.startsWith("\ufeff") ? text.slice(1) : text;
  } catch {
    return undefined;
  }
}

/**
 * Lines with their numbers; they end in \n, \r\n or \r. A line beyond the limit ends the file with an error, as nothing after it can be trusted.
 */
async function* lines(bytes: ByteStream): AsyncGenerator<[number: number, text: string | undefined]> {
  let parts: Uint8Array[] = [];
  let length = 0;
  let number = 0;
  let afterReturn = false;
  const take = (): [number, string | undefined] => {
    const line = Buffer.concat(parts, length);
    parts = [];
    length = 0;
    number += 1;
    return [number, textOf(line)];
  };
  for await (const chunk of bytes) {
    let start = afterReturn && chunk[0] === NEWLINE ? 1 : 0;
    for (let end = lineEnd(chunk, start); end !== -1; end = lineEnd(chunk, start)) {
      parts.push(chunk.subarray(start, end));
      length += end - start;
      start = end + (chunk[end] === RETURN && chunk[end + 1] === NEWLINE ? 2 : 1);
      yield take();
    }
    if (chunk.length > 0) afterReturn = chunk.at(-1) === RETURN;
    parts.push(chunk.subarray(start));
    length += chunk.length - start;
    if (length > LONGEST_LINE) throw new Error(`line ${number + 1} is longer than ${LONGEST_LINE} bytes`);
  }
  if (length > 0) yield take();
}

const NEWLINE = 10;
const RETURN = 13;

function lineEnd(chunk: Uint8Array, start: number): number {
  const newline = chunk.indexOf(NEWLINE, start);
  const before = newline === -1 ? chunk.subarray(start) : chunk.subarray(start, newline);
  const carriage = before.indexOf(RETURN);
  return carriage === -1 ? newline : start + carriage;
}

async function* jsonLines(bytes: ByteStream): AsyncGenerator<Row> {
  for await (const [row, line] of lines(bytes)) {
    if (line === undefined) yield { row, fault: NOT_UTF8 };
    else if (line.trim() !== "") yield parseLine(row, line);
  }
}

const IF_DOCUMENT = "where the file is one document, call it .json";

function parseLine(row: number, line: string): Row {
  if (line.length > 2 ** 20 && valuesIn(line) > MOST_VALUES)
    return { row, fault: `holds more than ${MOST_VALUES} values` };
  try {
    const value: unknown = JSON.parse(line);
    return Array.isArray(value) ? { row, fault: `a list, where a row is an object; ${IF_DOCUMENT}` } : { row, value };
  } catch (error) {
    if (/^\s*[[{]\s*$/.test(line)) return { row, fault: `not JSON: the line ends amid it; ${IF_DOCUMENT}` };
    if (line.includes("\0")) return { row, fault: `${NOT_UTF8} (it looks like UTF-16)` };
    return { row, fault: `not JSON: ${error instanceof Error ? error.message : String(error)}` };
  }
}

/** WikiTableQuestions' TSV: a header line, then cells with the escapes \n, \p (a pipe) and \\. */
async function* tsvRows(bytes: ByteStream): AsyncGenerator<Row> {
  let header: string[] | undefined;
  for await (const [row, line] of lines(bytes)) {
    if (line === undefined) {
      yield { row, fault: NOT_UTF8 };
      continue;
    }
    const cells = line.split("\t");
    if (header === undefined) {
      const twice = cells.find((name, i) => cells.indexOf(name) !== i);
      if (twice !== undefined)
        throw new Error(`the header has two columns ${JSON.stringify(twice)}; give one another name`);
      header = cells;
    } else if (cells.length !== header.length)
      yield { row, fault: `${cells.length} cells, but the header has ${header.length}` };
    else yield { row, value: Object.fromEntries(header.map((name, index) => [name, cells[index]])) };
  }
}

/** Entries of an array, or of an object of records, whose keys are handed on as `key`. */
async function* jsonEntries(bytes: ByteStream): AsyncGenerator<Row> {
  const value = parseDocument(await wholeDocument(bytes));
  if (typeof value !== "object" || value === null)
    throw new Error("the document is neither a list nor an object of records");
  let row = 0;
  for (const [key, entry] of Object.entries(value)) {
    row += 1;
    const isRecord = typeof entry === "object" && entry !== null && !Array.isArray(entry);
    yield { row, value: Array.isArray(value) ? entry : isRecord ? { key, ...entry } : { key, entry } };
  }
}

async function wholeDocument(bytes: ByteStream): Promise<string> {
  const parts: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of bytes) {
    parts.push(chunk);
    length += chunk.length;
    if (length > LARGEST_DOCUMENT)
      throw new Error(`the document is larger than ${LARGEST_DOCUMENT} bytes; write it as JSON Lines (.jsonl)`);
  }
  const text = textOf(Buffer.concat(parts, length));
  if (text === undefined) throw new Error(NOT_UTF8);
  return text;
}

function parseDocument(text: string): unknown {
  if (valuesIn(text) > MOST_VALUES)
    throw new Error(`the document holds more than ${MOST_VALUES} values; write it as JSON Lines (.jsonl)`);
  try {
    return JSON.parse(text);
  } catch (error) {
    const lines = text.trimStart().split("\n", 2);
    const isLines = lines.length > 1 && lines.every((line) => isJson(line));
    const message = error instanceof Error ? error.message : String(error);
    throw new Error(
      isLines ? "not one JSON document but one a line: JSON Lines; call the file .jsonl" : `not JSON: ${message}`,
    );
  }
}

function isJson(line: string): boolean {
  try {
    JSON.parse(line);
    return true;
  } catch {
    return false;
  }
}

/** Opened lists and objects, and members: commas. Those in texts count too, which only a document near the limit would notice. */
function valuesIn(text: string): number {
  let count = 0;
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code === 0x2c || code === 0x5b || code === 0x7b) count += 1;
  }
  return count;
}

async function* numbered(values: AsyncIterable<unknown>): AsyncGenerator<Row> {
  let row = 0;
  for await (const value of values) {
    row += 1;
    yield { row, value };
  }
}
