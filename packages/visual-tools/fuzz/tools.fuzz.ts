/**
 * Long fuzz of the tool interpreter; prints a report as JSON.
 * Run as `node --conditions=@iapo/source packages/visual-tools/fuzz/tools.fuzz.ts [count] [seed]`.
 */
import { fuzzTools } from "./run.ts";

const [count = 1_000_000, seed = Date.now() % 1e9] = process.argv.slice(2).map(Number);
const start = performance.now();
const report = fuzzTools(count, seed);
console.log(JSON.stringify({ ...report, seed, seconds: Math.round((performance.now() - start) / 1000) }));
