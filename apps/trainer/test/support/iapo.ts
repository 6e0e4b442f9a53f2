// The command line: through its real file in a process of its own; or in this process, which is quicker, where not all is to be checked.
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, onTestFinished, vi } from "vitest";
import { runCli } from "../../src/cli.ts";

export const main: string = join(import.meta.dirname, "../../src/main.ts");

export interface Ended {
  readonly code: number | null;
  readonly signal: string | null;
  readonly out: string;
  readonly err: string;
}

export interface Running {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
}

/** What Dawn writes to standard error by itself when it is loaded. */
const dawnsOwn = /^Warning: maxDynamic.*artificially reduced.*\n/gm;

/** In a process of its own. */
export function start(args: readonly string[], env: NodeJS.ProcessEnv = {}): Running {
  const child = spawn("node", ["--conditions=@iapo/source", "--no-warnings", main, ...args], {
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let [out, err] = ["", ""];
  child.stdout.on("data", (chunk) => (out += chunk));
  child.stderr.on("data", (chunk) => (err += chunk));
  const ended = new Promise<Ended>((resolve) => {
    child.on("close", (code, signal) => resolve({ code, signal, out, err: err.replace(dawnsOwn, "") }));
  });
  return { child, ended };
}

/** By test file. */
const tried = new Set<string>();

/** In this process; in a full check the first of each command in a file in one of its own. */
export async function iapo(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Ended> {
  const command = `${expect.getState().testPath} ${args[0]}`;
  if (process.env.IAPO_FULL === "1" && !tried.has(command)) {
    tried.add(command);
    return start(args, env).ended;
  }
  for (const [name, value] of Object.entries(env)) vi.stubEnv(name, value);
  const said = { out: "", note: "" };
  try {
    const code = await runCli(args, {
      out: (text) => (said.out += `${text}\n`),
      note: (text) => (said.note += `${text}\n`),
      signal: new AbortController().signal,
    });
    return { code, signal: null, out: said.out, err: said.note };
  } finally {
    vi.unstubAllEnvs(); // the next test's environment is its own, also after an error
  }
}

/** A refusal: its exit code, a message of one screen that matches, no stack trace, no result. */
export async function expectRefusal(args: readonly string[], code: number, message: RegExp): Promise<void> {
  const ended = await iapo(args);
  expect(ended.err).toMatch(message);
  expect(ended.code).toBe(code);
  expect(ended.err).not.toMatch(/^ +at .*\.[tj]s:/m);
  expect(ended.err.split("\n").length).toBeLessThan(24);
  expect(ended.out).toBe("");
}

export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "iapo-test-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  return folder;
}

/** For all tests of a file. */
export function sharedFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "iapo-test-"));
  afterAll(() => rmSync(folder, { recursive: true }));
  return folder;
}
