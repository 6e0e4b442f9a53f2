/**
 * Data files to rows, streaming: JSON Lines by line, TSV by line, parquet by slices of a row group, JSON by entry (a JSON
 * document is read whole, as it cannot be cut). A row that cannot be read is handed on as a fault with its number.
 */

import { VqaTasksError } from "../error.ts";
import type { DataFile } from "./files.ts";
import { parquetRows } from "./parquet.ts";

/** `row` counts from 1: lines of a text file, entries of a document, rows of a parquet file. */
export type Row = { readonly row: number; readonly value: unknown } | { readonly row: number; readonly fault: string };

const LONGEST_LINE = 2 ** 26;
const LARGEST_DOCUMENT = 2 ** 29;

/** @throws VqaTasksError `bad_row` where the file as a whole cannot be read */
export async function* readRows(file: DataFile): AsyncGenerator<Row> {
  const blob = await file.open();
  const name = file.name.replace(/\.gz$/, "");
  try {
    if (name.endsWith(".parquet")) yield* numbered(parquetRows(blob));
    else if (name.endsWith(".jsonl")) yield* jsonLines(textOf(file, blob));
    else if (name.endsWith(".tsv")) yield* tsvRows(textOf(file, blob));
    else yield* jsonEntries(textOf(file, blob));
  } catch (error) {
    if (error instanceof VqaTasksError) throw error;
    throw new VqaTasksError("bad_row", `${file.name}: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    });
  }
}

type TextStream = ReadableStream<string>;

function textOf(file: DataFile, blob: Blob): TextStream {
  const bytes = file.name.endsWith(".gz") ? blob.stream().pipeThrough(new DecompressionStream("gzip")) : blob.stream();
  return bytes.pipeThrough(new TextDecoderStream());
}

/** Lines with their numbers. A line beyond the limit ends the file with an error, as nothing after it can be trusted. */
async function* lines(text: TextStream): AsyncGenerator<[number, string]> {
  let rest = "";
  let number = 0;
  for await (const part of text) {
    const pieces = (rest + part).split("\n");
    rest = pieces.pop() ?? "";
    if (rest.length > LONGEST_LINE)
      throw new Error(`line ${number + pieces.length + 1} is longer than ${LONGEST_LINE} characters`);
    for (const piece of pieces) {
      number += 1;
      yield [number, piece.replace(/\r$/, "")];
    }
  }
  if (rest !== "") yield [number + 1, rest];
}

async function* jsonLines(text: TextStream): AsyncGenerator<Row> {
  for await (const [row, line] of lines(text)) {
    if (line.trim() === "") continue;
    try {
      yield { row, value: JSON.parse(line) };
    } catch (error) {
      yield { row, fault: `not JSON: ${error instanceof Error ? error.message : String(error)}` };
    }
  }
}

/** WikiTableQuestions' TSV: a header line, then cells with the escapes \n, \p (a pipe) and \\. */
async function* tsvRows(text: TextStream): AsyncGenerator<Row> {
  let header: string[] | undefined;
  for await (const [row, line] of lines(text)) {
    const cells = line.split("\t");
    if (header === undefined) header = cells;
    else if (cells.length !== header.length)
      yield { row, fault: `${cells.length} cells, but the header has ${header.length}` };
    else yield { row, value: Object.fromEntries(header.map((name, index) => [name, cells[index]])) };
  }
}

/** Entries of an array, or of an object of records, whose keys are handed on as `key`. */
async function* jsonEntries(text: TextStream): AsyncGenerator<Row> {
  let document = "";
  for await (const part of text) {
    document += part;
    if (document.length > LARGEST_DOCUMENT)
      throw new Error(`the document is larger than ${LARGEST_DOCUMENT} characters; use JSON Lines`);
  }
  const value: unknown = JSON.parse(document);
  if (typeof value !== "object" || value === null)
    throw new Error("the document is neither a list nor an object of records");
  let row = 0;
  for (const [key, entry] of Object.entries(value)) {
    row += 1;
    const isRecord = typeof entry === "object" && entry !== null && !Array.isArray(entry);
    yield { row, value: Array.isArray(value) ? entry : isRecord ? { key, ...entry } : { key, entry } };
  }
}

async function* numbered(values: AsyncIterable<unknown>): AsyncGenerator<Row> {
  let row = 0;
  for await (const value of values) {
    row += 1;
    yield { row, value };
  }
}
