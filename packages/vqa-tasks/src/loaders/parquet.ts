// Parquet rows in slices, decoded in a thread that is ended when it stays silent for too long.
import { Worker } from "node:worker_threads";
import type { FromWorker, ToWorker } from "./parquet-worker.ts";

const ROWS_AT_ONCE = 32;
/** Decoding a slice takes milliseconds; a thread that is silent for this long hangs. */
const PATIENCE_MS = 20_000;
const MOST_MEMORY_MB = 2048;

/** @throws Error where the file is damaged, holds fewer rows than it states, or cannot be decoded in time */
export async function* parquetRows(blob: Blob, patienceMs: number = PATIENCE_MS): AsyncGenerator<unknown> {
  const own = import.meta.url.endsWith(".ts") ? "./parquet-worker.ts" : "./parquet-worker.js";
  const worker = new Worker(new URL(own, import.meta.url), {
    resourceLimits: { maxOldGenerationSizeMb: MOST_MEMORY_MB },
  });
  try {
    const opened = await exchange(worker, blob, { kind: "open", byteLength: blob.size }, patienceMs);
    const count = opened.kind === "opened" ? opened.rows : 0;
    for (let rowStart = 0; rowStart < count; rowStart += ROWS_AT_ONCE) {
      const rowEnd = Math.min(count, rowStart + ROWS_AT_ONCE);
      const reply = await exchange(worker, blob, { kind: "read", rowStart, rowEnd }, patienceMs);
      const rows = reply.kind === "rows" ? reply.rows : [];
      yield* rows;
      if (rows.length < rowEnd - rowStart) {
        throw new Error(`the file states ${count} rows, but ends after ${rowStart + rows.length}`);
      }
    }
  } finally {
    await worker.terminate();
  }
}

/** Sends one request and serves the thread with bytes until it answers. */
function exchange(worker: Worker, blob: Blob, request: ToWorker, patienceMs: number): Promise<FromWorker> {
  return new Promise((resolve, reject) => {
    let timer: NodeJS.Timeout | undefined;
    const settle = (finish: () => void): void => {
      clearTimeout(timer);
      worker.off("message", onMessage).off("error", onError).off("exit", onExit);
      finish();
    };
    const fail = (message: string): void => settle(() => reject(new Error(message)));
    const onError = (error: unknown): void =>
      fail(`the decoder failed: ${error instanceof Error ? error.message : String(error)}`);
    const onExit = (code: number): void => fail(`the decoder ended with exit code ${code}`);
    const onMessage = (message: FromWorker): void => {
      if (message.kind === "need") serve(message).catch((error: unknown) => fail(String(error)));
      else if (message.kind === "fault") fail(message.message);
      else settle(() => resolve(message));
    };
    const wait = (): void => {
      clearTimeout(timer);
      timer = setTimeout(() => fail(`not decoded within ${patienceMs} ms; the file is damaged`), patienceMs);
    };
    const serve = async ({ id, start, end }: Extract<FromWorker, { kind: "need" }>): Promise<void> => {
      clearTimeout(timer);
      const bytes = await blob.slice(start, end).arrayBuffer();
      worker.postMessage({ kind: "bytes", id, bytes } satisfies ToWorker, [bytes]);
      wait();
    };
    worker.on("message", onMessage).on("error", onError).on("exit", onExit);
    wait();
    worker.postMessage(request);
  });
}
