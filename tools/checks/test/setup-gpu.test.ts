// scripts/setup-gpu.sh with a false apt-get in front that only notes how it was called.
import { execFile } from "node:child_process";
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";

const script = join(import.meta.dirname, "../../../scripts/setup-gpu.sh");
const noDriver = { VK_DRIVER_FILES: "/nowhere.json", VK_ICD_FILENAMES: "/nowhere.json" };

/** Runs the script; `calls` is what it asked of apt-get, which always fails. */
function setUp(env: NodeJS.ProcessEnv, ...args: string[]): Promise<{ code: number; said: string; calls: string }> {
  const folder = mkdtempSync(join(tmpdir(), "iapo-setup-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const log = join(folder, "calls");
  for (const name of ["apt-get", "sudo"]) {
    writeFileSync(join(folder, name), `#!/bin/sh\necho "${name} $*" >>"${log}"\nexit 1\n`);
    chmodSync(join(folder, name), 0o755);
  }
  return new Promise((resolve) => {
    const all = { ...process.env, ...env, PATH: `${folder}:${process.env.PATH}` };
    execFile("bash", [script, ...args], { env: all }, (error, _, said) => {
      const calls = existsSync(log) ? readFileSync(log, "utf8") : "";
      resolve({ code: typeof error?.code === "number" ? error.code : 0, said, calls });
    });
  });
}

test("a machine with a working adapter is left alone", async () => {
  const loud = await setUp({});
  expect(loud).toMatchObject({ code: 0, calls: "" });
  expect(loud.said).toMatch(/^setup-gpu: adapter found: \S+/);
  expect(await setUp({}, "--quiet")).toEqual({ code: 0, said: "", calls: "" });
});

test("GPU_SETUP=skip installs nothing and gives advice", async () => {
  const { code, said, calls } = await setUp({ ...noDriver, GPU_SETUP: "skip" });
  expect({ code, calls }).toEqual({ code: 1, calls: "" });
  expect(said).toContain("GPU_SETUP=skip: nothing is installed");
  expect(said).toContain("VK_DRIVER_FILES");
});

test("where the driver cannot be installed, the script fails with advice", async () => {
  const { code, said, calls } = await setUp(noDriver);
  expect(code).toBe(1);
  expect(said).toContain("no WebGPU adapter. Dawn needs a Vulkan 1.3 driver");
  if (existsSync("/etc/debian_version")) expect(calls).toMatch(/ update\n/);
});
