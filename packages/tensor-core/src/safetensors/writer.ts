// Writes safetensors files: streamed, whole or not at all, in one file or in shards with an index.
import { randomBytes } from "node:crypto";
import { type FileHandle, mkdir, open, readdir, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { tensorByteLength } from "./dtype.ts";
import { SafetensorsError, withFileErrors } from "./error.ts";
import { encodeHeader, inAlignedOrder, type TensorDescription } from "./header.ts";
import { encodeIndex, INDEX_SUFFIX } from "./shard-index.ts";

/** A tensor to be written. `data` is called once, when its turn has come, and yields the row-major bytes in pieces of any size. */
export interface TensorSource extends TensorDescription {
  readonly data: () => Iterable<Uint8Array> | AsyncIterable<Uint8Array>;
}

export interface WriteOptions {
  /** Written as `__metadata__`. Hugging Face's loaders want `{ format: "pt" }`, the default. */
  readonly metadata?: Readonly<Record<string, string>>;
}

export interface WriteShardsOptions extends WriteOptions {
  /** Data bytes per file at most, unless one tensor alone is larger; default 5e9, as Hugging Face does. */
  readonly maxShardBytes?: number;
}

const DEFAULT_METADATA = { format: "pt" };

/**
 * Writes one file. It appears under its name only when it is complete and on disk; on an error nothing is left and an older file of
 * that name stays as it was.
 * @throws SafetensorsError `duplicate`, `shape`, `data` or `io`; what a source throws passes through.
 */
export async function writeSafetensors(
  file: string,
  tensors: readonly TensorSource[],
  options: WriteOptions = {},
): Promise<void> {
  await writeTogether([{ file, write: (handle) => writeTensors(handle, file, tensors, options.metadata) }]);
}

/**
 * Writes a checkpoint into a directory: `model.safetensors` where it fits one shard, else `model-00001-of-0000N.safetensors` and
 * `model.safetensors.index.json`. Tensors keep their order. All files are complete before the first gets its name, the index last.
 * @returns the names of the files.
 * @throws SafetensorsError as `writeSafetensors`; `exists` where the directory holds a checkpoint whose files would remain beside the new ones.
 */
export async function writeSafetensorsShards(
  directory: string,
  tensors: readonly TensorSource[],
  options: WriteShardsOptions = {},
): Promise<string[]> {
  const shards = planShards(tensors, options.maxShardBytes ?? 5e9, directory);
  await withFileErrors(directory, "write", () => mkdir(directory, { recursive: true }));
  const names = shards.map((_, i) => shardName(i, shards.length));
  await refuseMixture(directory, names);
  const writes: FileWrite[] = shards.map((shard, i) => {
    const file = join(directory, names[i]!);
    return { file, write: (handle) => writeTensors(handle, file, shard, options.metadata) };
  });
  if (shards.length > 1) {
    const weightMap = new Map(shards.flatMap((shard, i) => shard.map(({ name }) => [name, names[i]!] as const)));
    const total = tensors.reduce((sum, { dtype, shape }) => sum + tensorByteLength(dtype, shape)!, 0);
    names.push(`model${INDEX_SUFFIX}`);
    const file = join(directory, names.at(-1)!);
    writes.push({ file, write: (handle) => handle.writeFile(encodeIndex(weightMap, total)) });
  }
  await writeTogether(writes);
  return names;
}

function planShards(tensors: readonly TensorSource[], maxBytes: number, directory: string): TensorSource[][] {
  encodeHeader(tensors, undefined, directory); // refuses repeated names and bad shapes across all shards
  const shards: TensorSource[][] = [[]];
  let used = 0;
  for (const tensor of tensors) {
    const bytes = tensorByteLength(tensor.dtype, tensor.shape)!;
    if (used > 0 && used + bytes > maxBytes) {
      shards.push([]);
      used = 0;
    }
    shards.at(-1)!.push(tensor);
    used += bytes;
  }
  return shards;
}

function shardName(index: number, count: number): string {
  const number = (value: number): string => String(value).padStart(5, "0");
  return count === 1 ? "model.safetensors" : `model-${number(index + 1)}-of-${number(count)}.safetensors`;
}

/** Replacing one file is atomic; several are not, so a sharded checkpoint is only written where there is none. */
async function refuseMixture(directory: string, names: readonly string[]): Promise<void> {
  const present = await withFileErrors(directory, "read", () => readdir(directory));
  const inTheWay = present.find(
    (name) => /^model.*\.safetensors(\.index\.json)?$/.test(name) && (names.length > 1 || name !== names[0]),
  );
  if (inTheWay !== undefined) {
    throw new SafetensorsError("exists", join(directory, inTheWay), "is in the way; write to an empty directory");
  }
}

interface FileWrite {
  readonly file: string;
  readonly write: (handle: FileHandle) => Promise<void>;
}

/** Writes every file beside its place, forces it to disk, and only then gives all of them their names. */
async function writeTogether(writes: readonly FileWrite[]): Promise<void> {
  const suffix = `.${randomBytes(6).toString("hex")}.partial`;
  try {
    for (const { file, write } of writes) {
      const handle = await withFileErrors(file, "create", () => open(file + suffix, "wx"));
      try {
        await write(handle);
        await withFileErrors(file, "write", () => handle.sync());
      } finally {
        await handle.close();
      }
    }
    for (const { file } of writes) await withFileErrors(file, "rename", () => rename(file + suffix, file));
    await syncDirectory(dirname(writes[0]!.file));
  } catch (error) {
    // What went wrong first is what the caller must hear, even if tidying up fails too.
    await Promise.allSettled(writes.map(({ file }) => rm(file + suffix, { force: true })));
    throw error;
  }
}

/** Makes the renames durable, where the platform can open a directory. */
async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, "r").catch(() => undefined);
  await handle?.sync().catch(() => undefined);
  await handle?.close();
}

async function writeTensors(
  handle: FileHandle,
  file: string,
  tensors: readonly TensorSource[],
  metadata: Readonly<Record<string, string>> = DEFAULT_METADATA,
): Promise<void> {
  const ordered = inAlignedOrder(tensors);
  await writeFully(handle, encodeHeader(ordered, metadata, file), file);
  for (const { name, dtype, shape, data } of ordered) {
    const expected = tensorByteLength(dtype, shape)!;
    let written = 0;
    for await (const piece of data()) {
      written += piece.byteLength;
      if (written > expected) break;
      await writeFully(handle, piece, file);
    }
    if (written !== expected) {
      const label = `tensor ${JSON.stringify(name)} (${dtype} [${shape}])`;
      const got = written > expected ? "more" : `${written}`;
      throw new SafetensorsError("data", file, `${label} needs ${expected} bytes, its source gave ${got}`);
    }
  }
}

async function writeFully(handle: FileHandle, bytes: Uint8Array, file: string): Promise<void> {
  for (let done = 0; done < bytes.byteLength; ) {
    const { bytesWritten } = await withFileErrors(file, "write", () =>
      handle.write(bytes, done, bytes.byteLength - done),
    );
    done += bytesWritten;
  }
}
