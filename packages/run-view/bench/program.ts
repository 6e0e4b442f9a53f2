// The command line as a program of its own, for benchmarks of the viewer.
import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";

const main = join(import.meta.dirname, "../../../apps/trainer/src/main.ts");

export function iapo(args: readonly string[]): ChildProcess {
  return spawn(process.execPath, ["--conditions=@iapo/source", "--no-warnings", main, ...args], {
    stdio: ["ignore", "pipe", "pipe"],
  });
}

/** @throws for a program that has failed, with what it said */
export async function ended(child: ChildProcess): Promise<void> {
  let said = "";
  child.stdout?.resume();
  child.stderr?.on("data", (text) => (said += text));
  const code = await new Promise((resolve) => child.on("close", resolve));
  if (code !== 0) throw new Error(`exit code ${code}: ${said}`);
}

/** A viewer of the runs in a folder, its address, and its end. */
export async function startViewer(folder: string) {
  const child = iapo(["view", folder, "--port", "0"]);
  const end = ended(child);
  const url = await new Promise<string>((resolve) =>
    child.stdout?.once("data", (text) => resolve(String(text).trim())),
  );
  return { child, url, end };
}
