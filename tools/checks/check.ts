// Runs every step and then the tests, all of them whatever fails, and ends with "N passed, N failed, N skipped".
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import type { Counts } from "./plain-reporter.ts";
import { type Step, steps } from "./steps.ts";

/** Minutes on two quiet cores. More is said and ends nothing: a busy machine is no fault of the code. */
const budgets = { usual: 10, full: 35 };
const testBudget = 28;

const full = readOptions();
if (full) process.env.IAPO_FULL = "1"; // the tests' own long variants
const start = performance.now();
const report: { name: string; budget: number; seconds: number; failed: boolean }[] = [];

for (const step of steps.filter((step) => !step.fullOnly)) await take(step);
if (full) {
  // Each of these keeps one core busy at most, or waits for a network: two at a time.
  const waiting = steps.filter((step) => step.fullOnly);
  const lane = async (): Promise<void> => {
    for (let step = waiting.shift(); step; step = waiting.shift()) await take(step);
  };
  await Promise.all([lane(), lane()]);
}

let counts: Counts = { passed: 0, failed: 0, skipped: 0 };
await timed("tests", testBudget, async () => {
  counts = await runTests();
  if (full && counts.skipped > 0) console.log(`${counts.skipped} tests skipped: ./check --full accepts none`);
  return counts.failed === 0 && !(full && counts.skipped > 0);
});

if (full) printTimes();
warnOfBudget();
const failedSteps = report.filter((step) => step.failed && step.name !== "tests").length;
const failed = counts.failed + failedSteps + (full && counts.failed === 0 ? Math.min(counts.skipped, 1) : 0);
console.log(`${counts.passed} passed, ${failed} failed, ${counts.skipped} skipped`);
process.exitCode = failed === 0 ? 0 : 1;

function readOptions(): boolean {
  const usage = "usage: ./check [--full]   --full: the long variants too, about three quarters of an hour";
  try {
    const { values } = parseArgs({ options: { full: { type: "boolean" }, help: { type: "boolean", short: "h" } } });
    if (values.help) {
      console.log(usage);
      process.exit(0);
    }
    return values.full ?? false;
  } catch (error) {
    console.error(`${(error as Error).message}\n${usage}`);
    console.log("0 passed, 1 failed, 0 skipped");
    process.exit(2);
  }
}

async function take(step: Step): Promise<void> {
  await timed(step.name, step.budget, async () => {
    const findings = await step.run().catch((error: Error) => [error.stack ?? error.message]);
    for (const finding of findings) console.log(finding);
    return findings.length === 0;
  });
}

async function timed(name: string, budget: number, run: () => Promise<boolean>): Promise<void> {
  const start = performance.now();
  const passed = await run();
  const seconds = (performance.now() - start) / 1000;
  report.push({ name, budget, seconds, failed: !passed });
  console.log(`${passed ? "ok    " : "FAILED"} ${name.padEnd(22)} ${seconds.toFixed(1).padStart(7)} s`);
}

/** Runs vitest; the plain reporter leaves the counts in a file, and a run that leaves none has failed. */
async function runTests(): Promise<Counts> {
  const folder = mkdtempSync(join(tmpdir(), "iapo-check-"));
  const file = join(folder, "counts.json");
  try {
    const code = await new Promise((resolve) => {
      // Hundreds of tests start programs from the sources: these are compiled once.
      const env = { NODE_COMPILE_CACHE: join(folder, "compiled"), ...process.env, IAPO_TEST_COUNTS: file };
      const child = spawn("vitest", ["run"], { stdio: ["ignore", "inherit", "inherit"], env });
      child.on("error", (error) => console.log(error.message));
      child.on("close", resolve);
    });
    const counts = JSON.parse(readFileSync(file, "utf8")) as Counts;
    return code !== 0 && counts.failed === 0 ? { ...counts, failed: 1 } : counts;
  } catch (error) {
    console.log(`the tests did not come to their end: ${(error as Error).message}`);
    return { passed: 0, failed: 1, skipped: 0 };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function warnOfBudget(): void {
  const used = minutesSoFar();
  const budget = full ? budgets.full : budgets.usual;
  if (used > budget)
    console.log(`warning: ${used.toFixed(1)} minutes, where ${budget} are meant to do on two quiet cores`);
}

function printTimes(): void {
  const row = (name: string, budget: number, seconds: number): void =>
    console.log(`${name.padEnd(22)} ${budget.toFixed(1).padStart(6)} min ${(seconds / 60).toFixed(1).padStart(6)} min`);
  console.log(`\n${"time".padEnd(22)} ${"budget".padStart(10)} ${"used".padStart(10)}`);
  for (const step of report) row(step.name, step.budget, step.seconds);
  row("all", budgets.full, 60 * minutesSoFar());
}

function minutesSoFar(): number {
  return (performance.now() - start) / 60_000;
}
