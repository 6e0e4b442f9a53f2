// What a run computed, as hashes: equal for the same seed, however often the run was stopped.
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join, relative, sep } from "node:path";

/** SHA-256 of each file that the seed decides: steps, checkpoints, images. */
export function fingerprint(directory: string): Record<string, string> {
  return fingerprintOf(directory, /^(steps|checkpoints|images)\//);
}

/** SHA-256 of each file whose path matches. */
export function fingerprintOf(directory: string, pattern: RegExp): Record<string, string> {
  const files = readdirSync(directory, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const paths = files.map((entry) => relative(directory, join(entry.parentPath, entry.name)).replaceAll(sep, "/"));
  const decided = paths.filter((path) => pattern.test(path)).sort();
  return Object.fromEntries(decided.map((path) => [path, sha256(readFileSync(join(directory, path)))]));
}

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}
