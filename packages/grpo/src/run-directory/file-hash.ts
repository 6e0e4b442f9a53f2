// SHA-256 of files. That of a large one is kept in the user's cache by path, size and times, so that weights are read once, not at every start.
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { readFile, stat } from "node:fs/promises";
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { makeDirectory, writeFileAtomic } from "@iapo/rollout-trace/files";
import { z } from "zod";

export interface FileHashOptions {
  /** Default: `iapo/sha256` in `$XDG_CACHE_HOME`, else in `~/.cache`. */
  readonly cache?: string | undefined;
  /** Bytes from which on a hash is kept. Default 64 MiB. */
  readonly keptFrom?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** A file changed within so many milliseconds before it was read may change again without another time. */
const SETTLED = 3000;

const schema = z.strictObject({ stamp: z.string(), sha256: z.string().regex(/^[0-9a-f]{64}$/) });

/** In lower-case hex. @throws what reading the file throws, and the signal's reason */
export async function hashFile(path: string, options: FileHashOptions = {}): Promise<string> {
  const { keptFrom = 64 * 2 ** 20, signal } = options;
  const full = resolve(path);
  const before = await stampOf(full);
  const kept = before.bytes >= keptFrom ? join(options.cache ?? defaultCache(), `${sha256(full)}.json`) : undefined;
  const known = kept && (await readKept(kept));
  if (known && known.stamp === before.stamp) return known.sha256;
  const hash = createHash("sha256");
  for await (const piece of createReadStream(full, { highWaterMark: 2 ** 20, signal })) hash.update(piece as Buffer);
  const found = hash.digest("hex");
  const isSettled = Date.now() - before.changed > SETTLED && (await stampOf(full)).stamp === before.stamp;
  if (kept && isSettled) await keep(kept, { stamp: before.stamp, sha256: found });
  return found;
}

async function stampOf(path: string): Promise<{ stamp: string; bytes: number; changed: number }> {
  const found = await stat(path, { bigint: true });
  if (!found.isFile()) throw new Error(`${path} is not a regular file`); // a pipe would be waited for
  const { size, mtimeNs, ctimeNs, ino, ctimeMs } = found;
  return { stamp: [size, mtimeNs, ctimeNs, ino].join(" "), bytes: Number(size), changed: Number(ctimeMs) };
}

function defaultCache(): string {
  return join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "iapo", "sha256");
}

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

async function readKept(file: string): Promise<z.infer<typeof schema> | undefined> {
  try {
    return schema.parse(JSON.parse(await readFile(file, "utf8")));
  } catch {
    return undefined; // then the file is read
  }
}

/** A cache that cannot be written costs time only. */
async function keep(file: string, record: z.infer<typeof schema>): Promise<void> {
  try {
    await makeDirectory(join(file, ".."));
    await writeFileAtomic(file, JSON.stringify(record));
  } catch {
    return;
  }
}
