// Decodes parquet in a thread of its own: a damaged file can make a decoder run for ever, which only ending the thread
// stops. The thread asks for the bytes it needs, so that a file on a hub is read in parts.
import { parentPort } from "node:worker_threads";
import { type FileMetaData, parquetMetadataAsync, parquetReadObjects } from "hyparquet";
import { compressors } from "hyparquet-compressors";

export type ToWorker =
  | { readonly kind: "open"; readonly byteLength: number }
  | { readonly kind: "read"; readonly rowStart: number; readonly rowEnd: number }
  | { readonly kind: "bytes"; readonly id: number; readonly bytes: ArrayBuffer };

export type FromWorker =
  | { readonly kind: "opened"; readonly rows: number }
  | { readonly kind: "rows"; readonly rows: readonly unknown[] }
  | { readonly kind: "need"; readonly id: number; readonly start: number; readonly end: number | undefined }
  | { readonly kind: "fault"; readonly message: string };

const send = (message: FromWorker): void => parentPort?.postMessage(message);
const wanted = new Map<number, (bytes: ArrayBuffer) => void>();
let requests = 0;
let byteLength = 0;
let metadata: FileMetaData | undefined;

const slice = (start: number, end?: number): Promise<ArrayBuffer> =>
  new Promise((resolve) => {
    requests += 1;
    wanted.set(requests, resolve);
    send({ kind: "need", id: requests, start, end });
  });

parentPort?.on("message", (message: ToWorker) => {
  if (message.kind === "bytes") {
    wanted.get(message.id)?.(message.bytes);
    wanted.delete(message.id);
    return;
  }
  answer(message).then(send, (error: unknown) => {
    send({ kind: "fault", message: error instanceof Error ? error.message : String(error) });
  });
});

/** Bytes that one request may unpack. A slice of rows with pictures takes a hundredth; a page states its own length, and lies. */
const MOST_UNPACKED = 2 ** 30;
let unpacked = 0;

function spend(bytes: number): void {
  unpacked += bytes;
  if (!(unpacked <= MOST_UNPACKED))
    throw new Error(`more than ${MOST_UNPACKED} bytes unpacked for a slice of rows; write smaller row groups`);
}

const boundedCompressors = Object.fromEntries(
  Object.entries(compressors).map(([codec, unpack]) => [
    codec,
    (input: Uint8Array, length: number): Uint8Array => {
      spend(length);
      return unpack(input, length);
    },
  ]),
);

/** What the file says of a slice's row groups; the pages are counted besides. */
function checkSizes({ row_groups }: FileMetaData, rowStart: number, rowEnd: number): void {
  let first = 0;
  let stated = 0;
  for (const { num_rows, columns } of row_groups) {
    const last = first + Number(num_rows);
    if (first < rowEnd && last > rowStart)
      for (const { meta_data } of columns) stated += Number(meta_data?.total_uncompressed_size ?? 0);
    first = last;
  }
  if (!(stated <= MOST_UNPACKED))
    throw new Error(
      `rows ${rowStart + 1} to ${rowEnd} unpack to ${stated} bytes, more than ${MOST_UNPACKED}; write smaller row groups`,
    );
}

async function answer(message: Exclude<ToWorker, { kind: "bytes" }>): Promise<FromWorker> {
  if (message.kind === "open") byteLength = message.byteLength;
  const file = { byteLength, slice };
  metadata ??= await parquetMetadataAsync(file);
  if (message.kind === "open") return { kind: "opened", rows: Number(metadata.num_rows) };
  const { rowStart, rowEnd } = message;
  unpacked = 0;
  checkSizes(metadata, rowStart, rowEnd);
  // utf8: false leaves bytes that are not declared as text alone: image files.
  return {
    kind: "rows",
    rows: await parquetReadObjects({ file, metadata, rowStart, rowEnd, compressors: boundedCompressors, utf8: false }),
  };
}
