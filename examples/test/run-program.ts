// Runs a TypeScript program as a reader would: in an empty folder of its own, on the sources.
import { spawn } from "node:child_process";
import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { expect, onTestFinished } from "vitest";

/** What it wrote to standard output. It must end well, and forget no tensor. `files` is copied into its folder. */
export async function runProgram(file: string, files?: string): Promise<string> {
  const cwd = await mkdtemp(join(tmpdir(), "iapo-example-"));
  onTestFinished(() => rm(cwd, { recursive: true }));
  if (files !== undefined) await cp(files, cwd, { recursive: true });
  const child = spawn(process.execPath, ["--conditions=@iapo/source", file], { cwd });
  const [stdout, stderr, status] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    new Promise((resolve) => child.on("close", resolve)),
  ]);
  expect(stderr).not.toContain("dispose");
  expect(status, stderr).toBe(0);
  return stdout.trimEnd();
}
