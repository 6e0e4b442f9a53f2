// What the safetensors reader and writer throw.
import { TensorError } from "../error.ts";

/**
 * What is wrong, stable across releases:
 * - `io`: the file could not be opened, read or written.
 * - `truncated`: the file ends before the header or the data it announces.
 * - `header`: the header's length or JSON is not that of a safetensors file.
 * - `dtype`: a dtype that this package does not know.
 * - `shape`: a shape that is not a list of whole numbers, or that does not fit its byte range.
 * - `offsets`: byte ranges that overlap, leave a hole or lie outside the file.
 * - `duplicate`: the same name twice.
 * - `index`: a shard index that is malformed.
 * - `unknown_tensor`: a tensor was asked for that the checkpoint does not hold.
 * - `range`: rows or piece sizes that make no sense were asked for.
 * - `data`: the bytes given to the writer are not as many as the shape announces.
 * - `exists`: writing would mix with a checkpoint that is already there.
 */
export type SafetensorsFault =
  | "io"
  | "truncated"
  | "header"
  | "dtype"
  | "shape"
  | "offsets"
  | "duplicate"
  | "index"
  | "unknown_tensor"
  | "range"
  | "data"
  | "exists";

const CALLERS_FAULTS: ReadonlySet<SafetensorsFault> = new Set(["unknown_tensor", "range", "data", "exists"]);

/** Thrown by everything in `@iapo/tensor-core/safetensors`, with `code` `io`, `argument` or `format`; the message starts with the file. */
export class SafetensorsError extends TensorError {
  readonly fault: SafetensorsFault;
  readonly file: string;

  constructor(fault: SafetensorsFault, file: string, message: string, options?: ErrorOptions) {
    super(fault === "io" ? "io" : CALLERS_FAULTS.has(fault) ? "argument" : "format", `${file}: ${message}`, options);
    this.fault = fault;
    this.file = file;
  }
}

/** Runs file-system work and turns what it throws into a `SafetensorsError` with fault `io`. */
export async function withFileErrors<T>(file: string, action: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    if (cause instanceof SafetensorsError) throw cause;
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new SafetensorsError("io", file, `cannot ${action}: ${reason}`, { cause });
  }
}
