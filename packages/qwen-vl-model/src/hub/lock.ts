// One writer at a time, among processes too: a file that names its holder, who keeps it fresh.
import { randomBytes } from "node:crypto";
import { link, readFile, rename, rm, stat, utimes, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { dirname } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { makeDirectory } from "@iapo/rollout-trace/files";

const POLL_MS = 50;
const REFRESH_MS = 2000;
/** A holder on another machine that has not been heard of for so long is gone. */
const STALE_MS = 20_000;

/**
 * Runs `work` while no other process, nor another call in this one, does so for the same file. Should a holder be suspended for longer than a lock
 * stays fresh, two may work: `work` must verify what it leaves.
 */
export async function withLock<T>(file: string, signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> {
  await makeDirectory(dirname(file));
  while (!(await take(file))) {
    if (await isAbandoned(file)) await removeAbandoned(file);
    else await sleep(POLL_MS, undefined, signal && { signal });
  }
  const refresh = setInterval(() => {
    const now = new Date();
    utimes(file, now, now).catch(() => {}); // whoever removed it took it for abandoned
  }, REFRESH_MS);
  try {
    return await work();
  } finally {
    clearInterval(refresh);
    await rm(file, { force: true });
  }
}

async function take(file: string): Promise<boolean> {
  try {
    await writeFile(file, `${process.pid} ${hostname()}`, { flag: "wx" });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
}

async function isAbandoned(file: string): Promise<boolean> {
  const found = await stat(file).catch(() => undefined);
  if (found === undefined) return false; // free again
  if (Date.now() - found.mtimeMs > STALE_MS) return true;
  const [pid, host] = (await readFile(file, "utf8").catch(() => "")).split(" ");
  return host === hostname() && /^\d+$/.test(pid ?? "") && !isRunning(Number(pid));
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== "ESRCH";
  }
}

/** Of several that wait one removes it; a lock that was taken meanwhile is put back. */
async function removeAbandoned(file: string): Promise<void> {
  const removed = `${file}.${randomBytes(6).toString("hex")}`;
  try {
    await rename(file, removed);
  } catch {
    return;
  }
  if (!(await isAbandoned(removed))) await link(removed, file).catch(() => {});
  await rm(removed, { force: true });
}
