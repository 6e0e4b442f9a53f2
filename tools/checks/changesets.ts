// What users of a package see has a sentence for the changelog: a branch that changes what a package ships brings a changeset (`.changeset/config.json` says which files count).
import { execFile } from "node:child_process";
import { promisify } from "node:util";

const run = promisify(execFile);

/** What changed since the branch left main, where no changeset came with it; on main itself, and without a main, nothing is compared. */
export async function checkChangesets(cwd: string = process.cwd()): Promise<string[]> {
  const git = async (...args: string[]): Promise<string | undefined> =>
    (await run("git", args, { cwd }).catch(() => undefined))?.stdout.trim();
  const target = process.env.GITHUB_BASE_REF || "main"; // the branch that a pull request is for
  const base = (await git("merge-base", "HEAD", `origin/${target}`)) ?? (await git("merge-base", "HEAD", target));
  if (base === undefined || base === (await git("rev-parse", "HEAD"))) return [];
  return run("changeset", ["status", `--since=${base}`], { cwd }).then(
    () => [],
    ({ stdout, stderr }: { stdout: string; stderr: string }) => [
      `${stdout}${stderr}`.trim(),
      "pnpm changeset writes one; pnpm changeset --empty says that users see nothing of it",
    ],
  );
}
