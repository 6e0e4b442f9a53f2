import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { expect, onTestFinished, test, vi } from "vitest";
import { checkChangesets } from "../changesets.ts";

/** A repository with one package on main, and a branch with these files on it. */
function branchWith(files: Readonly<Record<string, string>>): string {
  const folder = mkdtempSync(join(tmpdir(), "iapo-changesets-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const git = (...args: string[]): void => void execFileSync("git", args, { cwd: folder, stdio: "ignore" });
  const commit = (written: Readonly<Record<string, string>>): void => {
    for (const [file, text] of Object.entries(written)) {
      mkdirSync(join(folder, dirname(file)), { recursive: true });
      writeFileSync(join(folder, file), text);
    }
    git("add", "--all");
    git("-c", "user.name=a", "-c", "user.email=a@b.c", "commit", "--allow-empty", "-m", "a");
  };
  const config = { changedFilePatterns: ["src/**"], baseBranch: "main" };
  git("init", "--initial-branch=main");
  commit({
    "package.json": '{ "name": "root", "private": true }',
    "pnpm-workspace.yaml": "packages: [packages/*]\n",
    "pnpm-lock.yaml": "lockfileVersion: '9.0'\n",
    ".changeset/config.json": JSON.stringify(config),
    "packages/a/package.json": '{ "name": "a", "version": "1.0.0" }',
    "packages/a/src/index.ts": "export const a = 1;\n",
  });
  git("switch", "--create", "branch");
  if (Object.keys(files).length > 0) commit(files);
  return folder;
}

const change = { "packages/a/src/index.ts": "export const a = 2;\n" };
const changeset = { ".changeset/a.md": '---\n"a": patch\n---\n\nIt is two.\n' };

test.each([
  ["nothing", {}, false],
  ["a test", { "packages/a/test/a.test.ts": "" }, false],
  ["a source, with a changeset", { ...change, ...changeset }, false],
  [
    "a source, with a changeset that says that nothing is to be seen",
    { ...change, ".changeset/a.md": "---\n---\n" },
    false,
  ],
  ["a source alone", change, true],
] as const)("%s", async (_, files, isProblem) => {
  vi.stubEnv("GITHUB_BASE_REF", undefined);
  onTestFinished(() => void vi.unstubAllEnvs());
  const found = await checkChangesets(branchWith(files));
  if (!isProblem) expect(found).toEqual([]);
  else expect(found.join("\n")).toMatch(/no changesets were found[\s\S]*--empty/);
});
