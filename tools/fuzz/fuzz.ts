// pnpm fuzz [name...] [--seed n] [--runs n]: runs packages/*/fuzz/<name>.fuzz.ts, each in a process of its own.
// A fuzzer reads IAPO_FUZZ_SEED and IAPO_FUZZ_RUNS, prints what it needs to be repeated, and exits non-zero on a finding.
import { spawnSync } from "node:child_process";
import { parseArgs } from "node:util";
import { findScripts } from "../find-scripts.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { seed: { type: "string" }, runs: { type: "string" } },
});
const seed = values.seed ?? String(Math.floor(Math.random() * 2 ** 31));
const env: NodeJS.ProcessEnv = { ...process.env, IAPO_FUZZ_SEED: seed };
if (values.runs !== undefined) env.IAPO_FUZZ_RUNS = values.runs;

let failed = 0;
for (const { name, file } of findScripts("fuzz", positionals)) {
  const start = performance.now();
  const { status, signal } = spawnSync("node", ["--conditions=@iapo/source", file], { stdio: "inherit", env });
  if (status !== 0) failed++;
  const outcome =
    status === 0 ? "ok" : `FAILED (${signal ?? `exit code ${status}`}), repeat: pnpm fuzz ${name} --seed ${seed}`;
  console.log(`${name}: ${outcome}, ${((performance.now() - start) / 1000).toFixed(1)} s, seed ${seed}`);
}
process.exitCode = failed === 0 ? 0 : 1;
