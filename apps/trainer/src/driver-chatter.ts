// What drivers say on standard error by themselves is no business of whoever runs a command, where it is known to mean nothing.
import { closeSync, fstatSync, openSync, readFileSync, readSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isatty } from "node:tty";

/** Said by Dawn of software adapters, whose limits are beyond its own. */
const CHATTER = /^Warning: maxDynamic\w+BuffersPerPipelineLayout artificially reduced .*\n/gm;

/**
 * Does `work`, in which drivers are loaded, and takes known chatter off standard error: while it goes into a file of its own, or,
 * where it is a file that was opened without appending, out of that file behind the driver. From a socket nothing can be taken back.
 */
export async function withoutChatter<T>(work: () => Promise<T>): Promise<T> {
  const own = openAgain();
  if (own === undefined) return withBlanks(work);
  const file = join(tmpdir(), `iapo-${process.pid}-${performance.now()}.txt`);
  let held: number;
  try {
    held = openSync(file, "wx+", 0o600);
  } catch {
    closeSync(own);
    return await work();
  }
  putInPlace(held);
  try {
    return await work();
  } finally {
    putInPlace(own);
    const said = readFileSync(held, "utf8").replace(CHATTER, "");
    for (const descriptor of [own, held]) closeSync(descriptor);
    rmSync(file, { force: true });
    if (said) writeSync(2, said);
  }
}

/**
 * For a file whose place of writing other programs may share, as behind `2> log`: what is written stays where it is, and chatter becomes blanks.
 */
async function withBlanks<T>(work: () => Promise<T>): Promise<T> {
  const before = placeInFile();
  try {
    return await work();
  } finally {
    const after = placeInFile();
    if (before !== undefined && after !== undefined && after > before) blank(before, after);
  }
}

function blank(from: number, to: number): void {
  try {
    const file = openSync("/proc/self/fd/2", "r+");
    const said = Buffer.alloc(Math.min(to - from, MOST_BYTES));
    readSync(file, said, 0, said.length, from);
    const kept = said.toString("latin1").replace(CHATTER, (line) => `${" ".repeat(line.length - 1)}\n`);
    writeSync(file, Buffer.from(kept, "latin1"), 0, said.length, from);
    closeSync(file);
  } catch {
    // it may be written and not read: then chatter stays
  }
}

const MOST_BYTES = 2 ** 16;

/** Where the next byte of standard error goes, where that is a file. */
function placeInFile(): number | undefined {
  try {
    if (process.platform !== "linux" || !fstatSync(2).isFile()) return undefined;
    return Number(/^pos:\s*(\d+)/m.exec(readFileSync("/proc/self/fdinfo/2", "utf8"))?.[1]);
  } catch {
    return undefined;
  }
}

const APPEND = 0o2000;

/** Another descriptor of what standard error is: only to a terminal, a pipe, or a file that is appended to does it write as the first one does. */
function openAgain(): number | undefined {
  if (process.platform !== "linux") return undefined;
  try {
    const [, flags = "0"] = /flags:\s*(\d+)/.exec(readFileSync("/proc/self/fdinfo/2", "utf8")) ?? [];
    const appends = (Number.parseInt(flags, 8) & APPEND) !== 0;
    if (!isatty(2) && !fstatSync(2).isFIFO() && !appends) return undefined;
    return openSync("/proc/self/fd/2", "a");
  } catch {
    return undefined;
  }
}

/** Makes standard error what a descriptor is: a new one takes the lowest number that is free. */
function putInPlace(descriptor: number): void {
  closeSync(2);
  openSync(`/proc/self/fd/${descriptor}`, "a");
}
