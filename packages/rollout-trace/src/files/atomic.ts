/** Files that are there whole or not at all, also after a power cut. */
import { randomUUID } from "node:crypto";
import { rename, rm, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { TraceError } from "../error.ts";
import { syncDirectory } from "./paths.ts";

/**
 * Writes beside, under a name that no other writer takes, syncs, and renames: whoever reads finds what was there before, or all of the content.
 * After an error what was there before stands, and nothing lies beside it; a process that is killed may leave `*.partial`.
 * @throws TraceError `write_failed`
 */
export async function writeFileAtomic(path: string, content: string | Uint8Array): Promise<void> {
  const beside = `${path}.${randomUUID()}.partial`;
  try {
    await writeFile(beside, content, { flag: "wx", flush: true });
    await rename(beside, path);
    await syncDirectory(dirname(path));
  } catch (cause) {
    await rm(beside, { force: true }).catch(() => undefined); // the first error is the one to tell
    throw new TraceError("write_failed", `${path} cannot be written: ${(cause as Error).message}`, { cause });
  }
}
