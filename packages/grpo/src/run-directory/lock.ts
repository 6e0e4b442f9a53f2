// One writer at a time: a file in a directory says who is at work there. It needs no help from the operating system, so it also works
// on shared disks. Each process writes a file of its own name and then looks for others: of two that begin at once, at least one sees the other.
import { readFileSync } from "node:fs";
import { readdir, readFile, rm, rmdir } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { TraceError } from "@iapo/rollout-trace";
import { isRunning, makeDirectory, removeAbandoned, writeAdvice, writeFileAtomic } from "@iapo/rollout-trace/files";
import { z } from "zod";
import { GrpoError } from "../error.ts";

const schema = z.strictObject({
  host: z.string(),
  pid: z.int().min(1),
  since: z.string(),
  /** When the process began, as its system counts; distinguishes it from a later one of the same number. Null where that cannot be known. */
  began: z.string().nullable(),
});

type Holder = z.infer<typeof schema>;

export interface DirectoryLock {
  /** Call it before more is written. @throws GrpoError `missing` where the lock's file is gone: the directory was deleted, moved or taken */
  check(): Promise<void>;
  /** Never throws. */
  release(): Promise<void>;
}

/**
 * Takes a directory, which is created if need be, and is removed again by `release` where nothing was put into it. The lock of a process of
 * this machine that has ended is taken over, and what such ones left half-written is removed.
 * @throws GrpoError `busy` with the holder's process, machine and time; `write_failed`; TraceError `write_failed`
 */
export async function lockDirectory(directory: string): Promise<DirectoryLock> {
  const made = await makeDirectory(directory);
  const own: Holder = {
    host: hostname(),
    pid: process.pid,
    since: new Date().toISOString(),
    began: startOf(process.pid),
  };
  const name = lockName(own);
  const file = join(directory, name);
  const text = `${JSON.stringify(own)}\n`;
  let isHeld = false;
  const release = async (): Promise<void> => {
    if (isHeld) await rm(file, { force: true }).catch(() => undefined); // a later start takes the lock of a process that has ended
    for (const empty of made.toReversed()) if (!(await removed(empty))) return;
  };
  try {
    await refuseOthers(directory, undefined);
    await writeFileAtomic(file, text);
    isHeld = true;
    await refuseOthers(directory, name);
    await removeAbandoned(directory);
  } catch (error) {
    await release();
    throw error instanceof GrpoError ? error : failed(directory, error);
  }
  return {
    release,
    async check() {
      if ((await readFile(file, "utf8").catch(() => undefined)) === text) return;
      throw new GrpoError(
        "missing",
        `${file} is gone: the directory was deleted, moved or taken by another process while this one worked in it; nothing more is written there`,
      );
    },
  };
}

/** Who is at work in a directory; undefined where nobody is. Of a process on another machine it is not known whether it still runs. */
export interface Writer extends Pick<Holder, "host" | "pid" | "since"> {
  readonly isHere: boolean;
}

/** Looks, and changes nothing. Locks of processes that have ended do not count. */
export async function findWriter(directory: string): Promise<Writer | undefined> {
  const names = await readdir(directory).catch((): string[] => []);
  for (const name of names.filter((one) => lockPattern.test(one))) {
    const holder = parse(await readFile(join(directory, name), "utf8").catch(() => ""));
    if (holder && !hasEnded(holder)) {
      const { host, pid, since } = holder;
      return { host, pid, since, isHere: host === hostname() };
    }
  }
  return undefined;
}

const lockPattern = /^writer-.*\.lock$/;

function lockName({ host, pid }: Holder): string {
  return `writer-${host.replace(/[^\w.-]/g, "_")}-${pid}.lock`;
}

/** Whether a directory was empty and is gone. */
async function removed(directory: string): Promise<boolean> {
  return rmdir(directory).then(
    () => true,
    () => false,
  );
}

async function refuseOthers(directory: string, own: string | undefined): Promise<void> {
  for (const name of await readdir(directory)) {
    if (name === own || !lockPattern.test(name)) continue;
    const file = join(directory, name);
    const text = await readFile(file, "utf8").catch((error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") return undefined; // it was released just now
      throw error;
    });
    if (text === undefined) continue;
    const holder = parse(text);
    if (holder && hasEnded(holder)) await rm(file, { force: true });
    else throw busy(directory, file, holder);
  }
}

function parse(text: string): Holder | undefined {
  try {
    return schema.parse(JSON.parse(text));
  } catch {
    return undefined;
  }
}

function hasEnded({ host, pid, began }: Holder): boolean {
  if (host !== hostname()) return false;
  return !isRunning(pid) || (began !== null && startOf(pid) !== began);
}

/** In clock ticks since the machine began, with the machine's own begin: field 22 of Linux's `stat`. Elsewhere null. */
function startOf(pid: number): string | null {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, "utf8")
      .replace(/^.*\) /s, "")
      .split(" ");
    const boot = readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
    return `${boot} ${fields[19]}`;
  } catch {
    return null;
  }
}

function busy(directory: string, file: string, holder: Holder | undefined): GrpoError {
  const who = holder ? `process ${holder.pid} on ${holder.host}, since ${holder.since}` : "a process that left no name";
  return new GrpoError(
    "busy",
    `${directory} is in use by ${who}\nOne process at a time works on a run. Wait for it, stop it, or choose another directory; if it is gone for good, delete ${file}`,
  );
}

function failed(directory: string, cause: unknown): GrpoError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  const advice = cause instanceof TraceError ? "" : `; ${writeAdvice(cause)}`; // a TraceError has one
  return new GrpoError("write_failed", `${directory} cannot be worked in: ${reason}${advice}`, { cause });
}
