// Folders that go with the test, or with the file of tests.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, onTestFinished } from "vitest";

const make = (): string => mkdtempSync(join(tmpdir(), "iapo-jobs-"));

export function temporaryFolder(): string {
  const folder = make();
  onTestFinished(() => rmSync(folder, { recursive: true }));
  return folder;
}

/** For all tests of a file. */
export function sharedFolder(): string {
  const folder = make();
  afterAll(() => rmSync(folder, { recursive: true }));
  return folder;
}
