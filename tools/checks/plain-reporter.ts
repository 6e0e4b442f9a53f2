// Ends a test run with one plain line, "N passed, N failed, N skipped", which CI reads. Under ./check, which adds
// the steps before the tests and prints that line itself, the counts go to the file named in IAPO_TEST_COUNTS.
import { writeFileSync } from "node:fs";
import type { Reporter, SerializedError, TestModule } from "vitest/node";

export interface Counts {
  passed: number;
  failed: number;
  skipped: number;
}

export default class PlainReporter implements Reporter {
  onTestRunEnd(modules: ReadonlyArray<TestModule>, unhandledErrors: ReadonlyArray<SerializedError>): void {
    const count = { passed: 0, failed: unhandledErrors.length, skipped: 0, pending: 0 };
    for (const module of modules) {
      for (const test of module.children.allTests()) count[test.result().state]++;
      if (module.state() === "failed" && module.errors().length > 0) count.failed++; // could not load: no tests to count
    }
    const counts: Counts = { passed: count.passed, failed: count.failed, skipped: count.skipped + count.pending };
    const file = process.env.IAPO_TEST_COUNTS;
    if (file !== undefined) writeFileSync(file, JSON.stringify(counts));
    else console.log(`${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`);
  }
}
