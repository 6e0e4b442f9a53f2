// One writer at a time: a file in the run's directory says who is at work there. It needs no help from the operating system, so it also works
// on shared disks. Each process writes a file of its own name and then looks for others: of two that begin at once, at least one sees the other.
import { readFileSync } from "node:fs";
import { mkdir, readdir, readFile, rm, rmdir } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { writeFileAtomic } from "@iapo/rollout-trace/files";
import { z } from "zod";
import { TrainerError } from "../error.ts";

const schema = z.strictObject({
  host: z.string(),
  pid: z.int().min(1),
  since: z.string(),
  /** When the process began, as its system counts; tells it from a later one of the same number. Null where that cannot be known. */
  began: z.string().nullable(),
});

type Holder = z.infer<typeof schema>;

export interface Lock {
  release(): Promise<void>;
}

/**
 * Takes a directory, which is made if need be, and then goes again where nothing was put into it. The lock of a process of this machine that has
 * ended is taken over.
 * @throws TrainerError `busy` with the holder's process, machine and time
 */
export async function lockDirectory(directory: string): Promise<Lock> {
  const isNew = (await mkdir(directory, { recursive: true })) !== undefined;
  const own: Holder = {
    host: hostname(),
    pid: process.pid,
    since: new Date().toISOString(),
    began: beginOf(process.pid),
  };
  const name = `writer-${own.host.replace(/[^\w.-]/g, "_")}-${own.pid}.lock`;
  await refuseOthers(directory, undefined);
  const file = join(directory, name);
  await writeFileAtomic(file, `${JSON.stringify(own)}\n`);
  const release = async (): Promise<void> => {
    await rm(file, { force: true });
    if (isNew) await rmdir(directory).catch(() => undefined); // it holds something
  };
  try {
    await refuseOthers(directory, name);
  } catch (error) {
    await release();
    throw error;
  }
  return { release };
}

async function refuseOthers(directory: string, own: string | undefined): Promise<void> {
  for (const name of await readdir(directory)) {
    if (name === own || !/^writer-.*\.lock$/.test(name)) continue;
    const file = join(directory, name);
    const text = await readFile(file, "utf8").catch((error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") return undefined; // it was released just now
      throw error;
    });
    if (text === undefined) continue;
    const holder = read(text);
    if (holder && hasEnded(holder)) await rm(file, { force: true });
    else throw busy(directory, file, holder);
  }
}

function read(text: string): Holder | undefined {
  try {
    return schema.parse(JSON.parse(text));
  } catch {
    return undefined;
  }
}

function hasEnded({ host, pid, began }: Holder): boolean {
  if (host !== hostname()) return false;
  try {
    process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ESRCH";
  }
  return began !== null && beginOf(pid) !== began;
}

/** In clock ticks since the machine began, with the machine's own begin: field 22 of Linux's `stat`. Elsewhere null. */
function beginOf(pid: number): string | null {
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

function busy(directory: string, file: string, holder: Holder | undefined): TrainerError {
  const who = holder ? `process ${holder.pid} on ${holder.host}, since ${holder.since}` : "a process that left no name";
  return new TrainerError(
    "busy",
    `${directory} is in use by ${who}\nOne process at a time works on a run. Wait for it, stop it, or choose another --out; if it is gone for good, delete ${file}`,
  );
}
