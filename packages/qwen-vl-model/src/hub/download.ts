// Downloads one file into the cache: resumed where an earlier attempt ended, and verified before it gets its name.
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { open, rename, stat, truncate } from "node:fs/promises";
import { dirname } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { makeDirectory } from "@iapo/rollout-trace/files";
import { QwenVLError, reasonOf } from "../error.ts";
import type { RemoteFile } from "./listing.ts";
import { withLock } from "./lock.ts";

/** How the bytes come. */
export interface Transfer {
  /** Opens the remote file; its slices are ranges. */
  readonly source: () => Promise<Blob>;
  /** Called with the bytes of this file that are there. */
  readonly onBytes: (bytes: number) => void;
  readonly signal?: AbortSignal | undefined;
}

/** Attempts in a row that bring no byte. */
const MAX_FRUITLESS_ATTEMPTS = 4;
const FIRST_WAIT_MS = 100;

/**
 * Brings `file` to `target`, unless another process has done so meanwhile: one writes, others wait for it. What is there of `target.incomplete` is
 * kept and continued.
 * @throws QwenVLError `hub_network` after four attempts that bring nothing, `hub_corrupt` where the content is twice not what was announced;
 * a `QwenVLError` of `source`, and anything after `signal` was raised, passes through.
 */
export async function downloadFile(file: RemoteFile, target: string, transfer: Transfer): Promise<void> {
  const { signal, onBytes } = transfer;
  await withLock(`${target}.lock`, signal, async () => {
    if (await isWhole(target, file)) return onBytes(file.size);
    try {
      await fetchInto(target, file, transfer);
    } catch (error) {
      // Other tools lock in their own way and write to the same name.
      if (signal?.aborted || !(await isWhole(target, file))) throw error;
    }
  });
}

/** Whether the blob is there; its name was given to verified content only. */
export async function isWhole(target: string, { size }: RemoteFile): Promise<boolean> {
  const found = await stat(target).catch(() => undefined);
  return found?.isFile() === true && found.size === size;
}

async function fetchInto(target: string, file: RemoteFile, transfer: Transfer): Promise<void> {
  const partial = `${target}.incomplete`;
  await makeDirectory(dirname(target));
  await (await open(partial, "a")).close(); // an empty file is complete from the start
  for (let pass = 0; pass < 2; pass++) {
    try {
      await complete(file, partial, transfer);
      if ((await hashOf(partial, file)) === file.hash) {
        await rename(partial, target);
        return;
      }
    } catch (error) {
      if (!(error instanceof QwenVLError) || error.code !== "hub_corrupt") throw error;
    }
    // What an earlier run left may have been damaged: once more, from the start.
    await truncate(partial);
  }
  throw new QwenVLError(
    "hub_corrupt",
    `${file.path}: what was downloaded is not what the hub announced (${file.hash})`,
  );
}

/** Appends to the partial file until it has its full size. */
async function complete(file: RemoteFile, partial: string, { source, onBytes, signal }: Transfer): Promise<void> {
  let fruitless = 0;
  for (;;) {
    const before = await sizeOf(partial);
    if (before > file.size) throw new QwenVLError("hub_corrupt", `${file.path}: longer than announced`);
    onBytes(before);
    if (before === file.size) return;
    let reason = "the connection ended early";
    try {
      await append(file, partial, before, await source(), onBytes);
    } catch (error) {
      if (error instanceof QwenVLError || signal?.aborted) throw error;
      reason = reasonOf(error);
    }
    if ((await sizeOf(partial)) > before) {
      fruitless = 0;
    } else if (++fruitless === MAX_FRUITLESS_ATTEMPTS) {
      const progress = `byte ${before} of ${file.size}`;
      throw new QwenVLError("hub_network", `${file.path}: ${reason}; run again to continue at ${progress}`);
    } else {
      await sleep(FIRST_WAIT_MS * 2 ** (fruitless - 1));
    }
  }
}

async function sizeOf(path: string): Promise<number> {
  return (await stat(path).catch(() => undefined))?.size ?? 0;
}

async function append(
  file: RemoteFile,
  partial: string,
  from: number,
  remote: Blob,
  onBytes: (bytes: number) => void,
): Promise<void> {
  const handle = await open(partial, "a");
  try {
    let bytes = from;
    for await (const piece of remote.slice(from, file.size).stream()) {
      bytes += piece.byteLength;
      if (bytes > file.size) throw new QwenVLError("hub_corrupt", `${file.path}: longer than announced`);
      await handle.writeFile(piece);
      onBytes(bytes);
    }
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** As the hub names the content of a file of this size. */
export async function hashOf(path: string, { hash, size }: RemoteFile): Promise<string> {
  const digest = hash.length === 64 ? createHash("sha256") : createHash("sha1").update(`blob ${size}\0`);
  for await (const piece of createReadStream(path)) digest.update(piece as Buffer);
  return digest.digest("hex");
}
