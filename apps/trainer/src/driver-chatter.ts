// What drivers say on standard error by themselves is no business of whoever runs a command, where it is known to mean nothing.
import { closeSync, fstatSync, openSync, readFileSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isatty } from "node:tty";

/** Said by Dawn of software adapters, whose limits are beyond its own. */
const CHATTER = /^Warning: maxDynamic\w+BuffersPerPipelineLayout artificially reduced .*\n/gm;

/**
 * Runs `work`, in whose synchronous part drivers are loaded, while standard error goes into a file; what of it is not known chatter is then said.
 * Where standard error could not be given back as it was, as with a socket, nothing is held back.
 */
export function withoutChatter<T>(work: () => T): T {
  const own = openAgain();
  if (own === undefined) return work();
  const file = join(tmpdir(), `iapo-${process.pid}-${performance.now()}.txt`);
  let held: number;
  try {
    held = openSync(file, "wx+", 0o600);
  } catch {
    closeSync(own);
    return work();
  }
  putInPlace(held);
  try {
    return work();
  } finally {
    putInPlace(own);
    const said = readFileSync(held, "utf8").replace(CHATTER, "");
    for (const descriptor of [own, held]) closeSync(descriptor);
    rmSync(file, { force: true });
    if (said) writeSync(2, said);
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
