/**
 * Long fuzz of the tool interpreter; prints a report as JSON, and throws on a finding. Started with node's `--permission
 * --allow-fs-read=*`, the process could not write a file or start another one even where a program got that far.
 * Run as `node --conditions=@iapo/source packages/visual-tools/fuzz/tools.fuzz.ts [count] [seed]`, or by `pnpm fuzz tools`.
 */
import { fuzzTools } from "./run.ts";

const count = Number(process.argv[2] ?? process.env.IAPO_FUZZ_RUNS ?? 1_000_000);
const seed = Number(process.argv[3] ?? process.env.IAPO_FUZZ_SEED ?? Date.now() % 1e9);
const start = performance.now();
const report = fuzzTools(count, seed);
console.log(JSON.stringify({ ...report, seed, seconds: Math.round((performance.now() - start) / 1000) }));
