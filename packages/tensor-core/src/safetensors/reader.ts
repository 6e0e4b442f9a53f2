// Opens one safetensors file or a sharded checkpoint and streams its tensors; headers are verified before any data is read.
import { type FileHandle, open, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { isSafetensorsDtype } from "./dtype.ts";
import { SafetensorsError, withFileErrors } from "./error.ts";
import { headerLength, parseHeader, type TensorInfo } from "./header.ts";
import { INDEX_SUFFIX, readIndex } from "./shard-index.ts";

/** The largest piece in which tensor data is handed out: 64 MiB. */
export const MAX_PIECE_BYTES: number = 64 * 2 ** 20;

export interface PieceOptions {
  /** Only rows `start <= row < end` of the outermost dimension. */
  readonly rows?: { readonly start: number; readonly end: number };
  /** Size of a piece in bytes, a multiple of 8, at most (and by default) `MAX_PIECE_BYTES`. */
  readonly pieceBytes?: number;
}

/** An open checkpoint. Files stay open until `close()`. */
export class SafetensorsReader implements AsyncDisposable {
  /** Every tensor by name, in file order. */
  readonly tensors: ReadonlyMap<string, TensorInfo>;
  /** `__metadata__` of all files; for a key in several files the last one holds. */
  readonly metadata: Readonly<Record<string, string>>;
  readonly #handles: ReadonlyMap<string, FileHandle>;
  /** What an index lists and no shard holds, such as a tied head: tensor to shard. */
  readonly #absent: ReadonlyMap<string, string>;

  /** Use `openSafetensors`. */
  constructor(
    handles: ReadonlyMap<string, FileHandle>,
    tensors: ReadonlyMap<string, TensorInfo>,
    metadata: Readonly<Record<string, string>>,
    absent: ReadonlyMap<string, string> = new Map(),
  ) {
    this.#handles = handles;
    this.#absent = absent;
    this.tensors = tensors;
    this.metadata = metadata;
  }

  /** @throws SafetensorsError `unknown_tensor`. */
  info(name: string): TensorInfo {
    const info = this.tensors.get(name);
    if (info === undefined) {
      const where = [...this.#handles.keys()].join(", ");
      const shard = this.#absent.get(name);
      const promised = shard === undefined ? "" : `, though the index says that ${shard} holds it`;
      throw new SafetensorsError("unknown_tensor", where, `there is no tensor ${JSON.stringify(name)}${promised}`);
    }
    return info;
  }

  /**
   * The bytes of a tensor in order. All pieces but the last are `pieceBytes` long. Each piece starts its own ArrayBuffer, which is
   * **used again for the next piece**: copy or upload it before asking for the next one.
   * @throws SafetensorsError `unknown_tensor`, `dtype` for one that this package does not know, `range`, `io`, or `truncated` where the file shrank since it was opened.
   */
  async *pieces(name: string, options: PieceOptions = {}): AsyncGenerator<Uint8Array<ArrayBuffer>, void, undefined> {
    const info = this.info(name);
    const handle = this.#handleOf(info);
    const { start, end } = byteRange(info, options.rows);
    const pieceBytes = options.pieceBytes ?? MAX_PIECE_BYTES;
    if (!Number.isInteger(pieceBytes) || pieceBytes < 8 || pieceBytes > MAX_PIECE_BYTES || pieceBytes % 8 !== 0) {
      throw new SafetensorsError(
        "range",
        info.file,
        `pieceBytes ${pieceBytes} is no multiple of 8 up to ${MAX_PIECE_BYTES}`,
      );
    }
    const buffer = new Uint8Array(Math.min(pieceBytes, end - start));
    for (let at = start; at < end; at += pieceBytes) {
      const piece = buffer.subarray(0, Math.min(pieceBytes, end - at));
      await readFully(handle, piece, info.offset + at, info.file);
      yield piece;
    }
  }

  /** A whole tensor at once, in an ArrayBuffer of its own: for small ones. Same errors as `pieces`. */
  async read(name: string): Promise<Uint8Array<ArrayBuffer>> {
    const info = this.info(name);
    const handle = this.#handleOf(info);
    const bytes = new Uint8Array(info.byteLength);
    await readFully(handle, bytes, info.offset, info.file);
    return bytes;
  }

  #handleOf({ name, dtype, file }: TensorInfo): FileHandle {
    if (!isSafetensorsDtype(dtype)) {
      throw new SafetensorsError(
        "dtype",
        file,
        `tensor ${JSON.stringify(name)} has the unknown dtype ${JSON.stringify(dtype)}`,
      );
    }
    const handle = this.#handles.get(file);
    if (!handle) throw new SafetensorsError("io", file, "is not open");
    return handle;
  }

  async close(): Promise<void> {
    await Promise.all([...this.#handles.values()].map((handle) => handle.close()));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

/**
 * Opens a safetensors file, a shard index (`*.safetensors.index.json`), or a directory that holds `model.safetensors` or
 * `model.safetensors.index.json`. Reads and verifies every header; allocates no more than the headers need.
 * @throws SafetensorsError
 */
export async function openSafetensors(path: string): Promise<SafetensorsReader> {
  const source = await withFileErrors(path, "open", () => checkpointFile(path));
  if (!source.endsWith(INDEX_SUFFIX)) return openFiles([source]);
  const weightMap = await readIndex(source);
  const shards = [...new Set(weightMap.values())].sort();
  return openFiles(
    shards.map((shard) => join(dirname(source), shard)),
    weightMap,
  );
}

/** The one file to open for a path: itself, or the checkpoint of a directory. */
async function checkpointFile(path: string): Promise<string> {
  if (!(await stat(path)).isDirectory()) return path;
  const candidates = [join(path, "model.safetensors"), join(path, `model${INDEX_SUFFIX}`)];
  for (const candidate of candidates) {
    const found = await stat(candidate).catch(() => undefined);
    if (found?.isFile()) return candidate;
  }
  throw new SafetensorsError("io", path, "holds neither model.safetensors nor model.safetensors.index.json");
}

/** `weightMap`: what an index lists. Its shards say what there is; tensors that it leaves out or misplaces are there all the same. */
async function openFiles(
  files: readonly string[],
  weightMap: ReadonlyMap<string, string> = new Map(),
): Promise<SafetensorsReader> {
  const handles = new Map<string, FileHandle>();
  try {
    const tensors = new Map<string, TensorInfo>();
    const metadata: Record<string, string> = {};
    for (const file of files) {
      const found = await withFileErrors(file, "open", () => stat(file));
      if (!found.isFile()) throw new SafetensorsError("io", file, "not a regular file"); // a pipe would be waited for
      const handle = await withFileErrors(file, "open", () => open(file, "r"));
      handles.set(file, handle);
      const { size } = await withFileErrors(file, "read", () => handle.stat());
      const prefix = new Uint8Array(8);
      await readFully(handle, prefix.subarray(0, Math.min(8, size)), 0, file);
      const json = new Uint8Array(headerLength(prefix, size, file));
      await readFully(handle, json, 8, file);
      const header = parseHeader(json, size, file);
      for (const [name, info] of header.tensors) {
        const other = tensors.get(name);
        if (other)
          throw new SafetensorsError("duplicate", file, `tensor ${JSON.stringify(name)} is also in ${other.file}`);
        tensors.set(name, info);
      }
      Object.assign(metadata, header.metadata);
    }
    const absent = new Map([...weightMap].filter(([name]) => !tensors.has(name)));
    return new SafetensorsReader(handles, tensors, metadata, absent);
  } catch (error) {
    await Promise.all([...handles.values()].map((handle) => handle.close()));
    throw error;
  }
}

function byteRange(info: TensorInfo, rows: PieceOptions["rows"]): { start: number; end: number } {
  if (rows === undefined) return { start: 0, end: info.byteLength };
  const count = info.shape[0] ?? 0;
  const { start, end } = rows;
  if (!Number.isInteger(start) || !Number.isInteger(end) || start < 0 || start > end || end > count) {
    const label = `tensor ${JSON.stringify(info.name)} [${info.shape}]`;
    throw new SafetensorsError("range", info.file, `${label} has no rows ${start} to ${end}`);
  }
  const rowBytes = count === 0 ? 0 : info.byteLength / count;
  return { start: start * rowBytes, end: end * rowBytes };
}

/** Fills `target` from `position` on; a read may come in parts. */
async function readFully(handle: FileHandle, target: Uint8Array, position: number, file: string): Promise<void> {
  for (let done = 0; done < target.byteLength; ) {
    const { bytesRead } = await withFileErrors(file, "read", () =>
      handle.read(target, done, target.byteLength - done, position + done),
    );
    if (bytesRead === 0) {
      throw new SafetensorsError(
        "truncated",
        file,
        `ends at byte ${position + done}, ${target.byteLength - done} are missing`,
      );
    }
    done += bytesRead;
  }
}
