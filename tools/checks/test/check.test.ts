// The commands themselves, through their real files.
import { execFile } from "node:child_process";
import { chmod, cp, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, onTestFinished, test } from "vitest";

const run = promisify(execFile);
const root = join(import.meta.dirname, "../../..");

interface Failure {
  code: number;
  stdout: string;
  stderr: string;
}

async function failureOf(running: Promise<unknown>): Promise<Failure> {
  return running.then(
    () => expect.fail("the command should have failed"),
    (error: Failure) => error,
  );
}

const lastLine = (text: string): string | undefined => text.trimEnd().split("\n").at(-1);

async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "iapo-check-test-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  return folder;
}

test("a wrong option ends in a failing count", async () => {
  const failure = await failureOf(run("node", [join(root, "tools/checks/check.ts"), "--fast"]));
  expect(failure.code).toBe(2);
  expect(lastLine(failure.stdout)).toBe("0 passed, 1 failed, 0 skipped");
});

test("a set-up that fails says what to do and ends in a failing count", async () => {
  const folder = await temporaryFolder();
  await cp(join(root, "check"), join(folder, "check"));
  await cp(join(root, "scripts"), join(folder, "scripts"), { recursive: true });
  await mkdir(join(folder, "bin"));
  await writeFile(join(folder, "bin/node"), '#!/bin/sh\n[ "$1" = -p ] && echo 18 || echo v18.0.0\n');
  await chmod(join(folder, "bin/node"), 0o755);
  const env = { PATH: `${folder}/bin:/usr/bin:/bin` };
  const failure = await failureOf(run(join(folder, "check"), [], { env }));
  expect(failure.stderr).toContain("set-up: Node v18.0.0 is too old: 20 or newer is needed");
  expect(lastLine(failure.stdout)).toBe("0 passed, 1 failed, 0 skipped");
});

test("the counting line tells of a file that cannot load and of a skipped test", async () => {
  const folder = await temporaryFolder();
  await writeFile(join(folder, "broken.test.js"), 'import "./gone.js";');
  await writeFile(join(folder, "mixed.test.js"), 'test("a", () => {});\ntest.skip("b", () => {});');
  const reporter = join(root, "tools/checks/plain-reporter.ts");
  await writeFile(join(folder, "vitest.config.js"), "export default { test: { globals: true } };");
  const args = ["run", "--root", folder, "--reporter", reporter];
  const { IAPO_TEST_COUNTS: _, ...env } = process.env; // set when this test itself runs under ./check
  const failure = await failureOf(run("vitest", args, { env }));
  expect(lastLine(failure.stdout)).toBe("1 passed, 1 failed, 1 skipped");
});

test("sourcing scripts/env.sh leaves the shell's options and folder as they were", async () => {
  const script = `before="$(set +o; pwd)"; . ${join(root, "scripts/env.sh")}; [ "$before" = "$(set +o; pwd)" ]; echo $?; false; command -v vitest`;
  const { stdout } = await run("bash", ["-c", script], { cwd: tmpdir(), env: { PATH: process.env.PATH } });
  expect(stdout.split("\n")).toEqual(["0", join(root, "node_modules/.bin/vitest"), ""]);
});
