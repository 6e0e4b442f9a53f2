// What people install and build with, pinned beside this file and installed on first use.
import { type ExecFileOptions, execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";

const execute = promisify(execFile);
const modules = join(import.meta.dirname, "node_modules");
const script = (path: string): string[] => [process.execPath, join(modules, path)];

/** The first words of each command. Node's own versions are for x64 Linux. */
export const tools = {
  npm: script("npm/bin/npm-cli.js"),
  pnpm: ["pnpm"],
  yarn: script("@yarnpkg/cli-dist/bin/yarn.js"),
  bun: [join(modules, ".pnpm/@oven+bun-linux-x64@1.4.5/node_modules/@oven/bun-linux-x64/bin/bun")],
  deno: [join(modules, ".pnpm/@deno+linux-x64-glibc@2.9.6/node_modules/@deno/linux-x64-glibc/deno")],
  esbuild: [join(modules, ".bin/esbuild")],
  verdaccio: script("verdaccio/bin/verdaccio"),
} as const;

export const nodes = {
  "20": join(modules, "node-20/bin/node"),
  "22.18": join(modules, "node-22-18/bin/node"),
  "22": join(modules, "node-22/bin/node"),
  "24": process.execPath,
  "26": join(modules, "node-26/bin/node"),
} as const;

export const compilers = {
  "5.7": script("typescript-5.7/bin/tsc"),
  "5.9": script("typescript-5.9/bin/tsc"),
  "6": script("typescript-6/bin/tsc"),
  "7": ["tsc"],
} as const;

export interface Output {
  readonly stdout: string;
  readonly stderr: string;
}

/** @throws Error with what was printed, where the command fails or takes over ten minutes */
export async function run(command: readonly string[], options: ExecFileOptions = {}): Promise<Output> {
  const [file = "", ...args] = command;
  try {
    return await execute(file, args, { timeout: 10 * 60_000, maxBuffer: 2 ** 26, ...options, encoding: "utf8" });
  } catch (error) {
    const { message, stdout = "", stderr = "" } = error as Error & Partial<Output>;
    throw new Error([message, stdout, stderr].join("\n").trim(), { cause: error });
  }
}

export async function installTools(): Promise<void> {
  const env = { ...process.env, CI: "true" };
  await run(["pnpm", "install", "--frozen-lockfile", "--reporter=silent"], { cwd: import.meta.dirname, env });
}
