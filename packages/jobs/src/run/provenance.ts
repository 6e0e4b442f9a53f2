// What a run was made by and on: versions, sources, machine, adapter. One line for each start, as a resume may be made by other ones, and for
// each interrupt.
import { execFile } from "node:child_process";
import { createRequire } from "node:module";
import { hostname } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { appendLine } from "@iapo/rollout-trace/files";
import type { AdapterFacts } from "@iapo/tensor-core";
import { z } from "zod";

const manifestSchema = z.object({
  name: z.string(),
  version: z.string(),
  dependencies: z.record(z.string(), z.string()),
});
const versionSchema = z.object({ version: z.string() });

export interface Start {
  readonly command: readonly string[];
  /** As it can be loaded again. */
  readonly config: unknown;
  readonly adapter: AdapterFacts;
  /** Whether kernels that must agree do so to the bit. */
  readonly parity: boolean;
}

/** Appends a line to the run's `starts.jsonl`. */
export async function recordStart(directory: string, start: Start): Promise<void> {
  const record = {
    at: new Date().toISOString(),
    ...start,
    host: hostname(),
    platform: `${process.platform} ${process.arch}`,
    node: process.versions.node,
    packages: packageVersions(),
    git: await gitState(),
  };
  await appendLine(join(directory, "starts.jsonl"), record);
}

/** Appends a line that the run was interrupted with so many steps done: what has no such line behind its last start has ended, or was killed. */
export async function recordInterrupt(directory: string, step: number): Promise<void> {
  await appendLine(join(directory, "starts.jsonl"), { at: new Date().toISOString(), ended: "interrupted", step });
}

/** Of this program and of the packages of the same house. */
export function packageVersions(): Record<string, string> {
  const require = createRequire(import.meta.url);
  const own = manifestSchema.parse(require("../../package.json"));
  const versionOf = (name: string): string => versionSchema.parse(require(`${name}/package.json`)).version;
  const used = Object.keys(own.dependencies).filter((name) => name.startsWith("@iapo/"));
  return Object.fromEntries([[own.name, own.version], ...used.map((name) => [name, versionOf(name)] as const)]);
}

/** Of the checkout that this program runs from; null for an installed package. */
async function gitState(): Promise<{ commit: string; changed: boolean } | null> {
  const git = async (...args: string[]): Promise<string> => {
    const { stdout } = await promisify(execFile)("git", args, { cwd: import.meta.dirname, timeout: 5000 });
    return stdout.trim();
  };
  try {
    await git("ls-files", "--error-unmatch", import.meta.filename.replace(/\/dist\/(.*)\.js$/, "/src/$1.ts"));
    return { commit: await git("rev-parse", "HEAD"), changed: (await git("status", "--porcelain", "-uno")) !== "" };
  } catch {
    return null;
  }
}
