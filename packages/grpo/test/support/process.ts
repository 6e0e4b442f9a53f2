// Runs as processes of their own, to be killed or starved.
import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";

/** A program of this folder with its arguments, behind `launcher` if one is given. */
export function startRun(program: string, args: readonly string[], launcher: readonly string[] = []): ChildProcess {
  const own = [process.execPath, "--conditions=@iapo/source", join(import.meta.dirname, program), ...args];
  const [command, ...rest] = [...launcher, ...own];
  return spawn(command!, rest, { stdio: ["ignore", "ignore", "pipe"] });
}

/** What the program wrote to stderr, drivers' warnings among it, if it failed. */
export async function ended(child: ChildProcess): Promise<{ killed: boolean; errors: string }> {
  let errors = "";
  child.stderr!.on("data", (text) => {
    errors += String(text);
  });
  return new Promise((resolve) => {
    child.on("close", (code, signal) =>
      resolve({ killed: signal === "SIGKILL", errors: code === 0 || signal ? "" : errors }),
    );
  });
}
