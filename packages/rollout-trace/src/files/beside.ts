// Names of what is written beside its place until it is whole, and what killed processes have left there.
import { randomBytes } from "node:crypto";
import { readdir, rm } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";

const host = hostname().replace(/[^\w-]/g, "_");
const pattern = /\.([\w-]+)-(\d+)-[0-9a-f]{12}\.partial$/;

/** A name beside `path` that no other writer takes, and that says which process of which machine does: `<path>.<host>-<pid>-<random>.partial`. */
export function besideOf(path: string): string {
  return `${path}.${host}-${process.pid}-${randomBytes(6).toString("hex")}.partial`;
}

/**
 * Removes what processes of this machine that have ended left beside its place, in a directory and those directly in it; what a process is still
 * writing stays.
 * @param name only what was to become the entry of this name in the directory
 */
export async function removeAbandoned(directory: string, name?: string): Promise<void> {
  for (const entry of await entriesOf(directory)) {
    const place = join(directory, entry.name);
    if (name !== undefined && name !== finalName(entry.name)) continue;
    if (isAbandoned(entry.name)) await rm(place, { recursive: true, force: true });
    else if (name === undefined && entry.isDirectory())
      for (const inner of await entriesOf(place))
        if (isAbandoned(inner.name)) await rm(join(place, inner.name), { recursive: true, force: true });
  }
}

async function entriesOf(directory: string) {
  return readdir(directory, { withFileTypes: true }).catch(() => []); // it is not there, or not ours
}

/** What it was to become, also where it was made beside something that was itself beside its place. */
function finalName(name: string): string {
  const outer = name.replace(pattern, "");
  return outer === name ? name : finalName(outer);
}

function isAbandoned(name: string): boolean {
  const [, on, pid] = pattern.exec(name) ?? [];
  return on === host && !isRunning(Number(pid));
}

/** Whether this machine has a process of this number. */
export function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== "ESRCH";
  }
}
