// pnpm bench [name...] [--no-peers] [--rounds n] [--case text]: see README.md beside this file.
import { execFileSync, spawnSync } from "node:child_process";
import { join, relative } from "node:path";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { findScripts, type Script } from "../find-scripts.ts";
import { printedTable, runPrinted } from "./harness/printed.ts";
import { type Result, resultOf, save, table } from "./harness/result.ts";
import { run } from "./harness/run.ts";
import type { Benchmark } from "./harness/types.ts";

const results = join(import.meta.dirname, "../../bench/results");

const { values, positionals } = parseArgs({
  allowPositionals: true,
  allowNegative: true,
  options: {
    peers: { type: "boolean", default: true },
    rounds: { type: "string", default: "5" },
    case: { type: "string", default: "" },
  },
});
const rounds = Number(values.rounds);
if (!(Number.isInteger(rounds) && rounds > 0))
  throw new Error(`--rounds takes a whole number above 0, not ${values.rounds}`);

/** They run where they are named: gigabytes of Python come with the first, whole trainings are the others. */
const onlyByName = new Set(["python", "viewer-open", "many-traces", "fleet-bits", "fleet-cost"]);

for (const script of findScripts("bench", positionals)) {
  if (onlyByName.has(script.name) && !positionals.includes(script.name)) continue;
  console.log(`\n${script.name}`);
  const printed = runPrinted(script.name, script.file, commit());
  if (printed && "skipped" in printed) {
    console.log(`skipped: ${printed.skipped}`);
    continue;
  }
  if (printed) console.log(printedTable(printed));
  const result = printed ?? (await runOnAdapter(script));
  if (result.rows.some((row) => row.ours !== null && !row.correct)) process.exitCode = 1;
  const whole = values.peers && values.case === ""; // a part of a benchmark is shown, not kept
  if (whole) console.log(`written: ${relative(process.cwd(), save(results, result))}`);
}

async function runOnAdapter({ name, file }: Script): Promise<Result> {
  const { default: benchmark } = (await import(pathToFileURL(file).href)) as { default: Benchmark };
  const peers = values.peers ? (benchmark.peers ?? []) : [];
  const baselines = Object.keys(benchmark.baselines ?? {});
  if (peers.length > 0) installPeers();
  const note = (line: string): void => console.error(line);
  const measured = await run({
    file,
    workload: benchmark.workload,
    baselines,
    peers,
    rounds,
    filter: values.case,
    note,
  });
  console.log(table(measured));
  return resultOf(name, commit(), measured);
}

function installPeers(): void {
  const { status } = spawnSync("pnpm", ["install", "--frozen-lockfile", "--reporter=silent"], {
    cwd: import.meta.dirname,
    stdio: "inherit",
    env: { ...process.env, CI: "true" },
  });
  if (status !== 0) throw new Error("the peers could not be installed");
}

/** The commit that was measured; "+" when files differ from it. */
function commit(): string {
  try {
    const git = (...args: string[]): string => execFileSync("git", args, { encoding: "utf8" }).trim();
    return git("rev-parse", "HEAD") + (git("status", "--porcelain") === "" ? "" : "+");
  } catch {
    return "unknown";
  }
}
