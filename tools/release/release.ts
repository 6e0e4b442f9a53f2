// pnpm release [--dry]: from a clean tree, forced build and whole check, to the very tarballs that consumers were tried with.
// --dry publishes on loopback only: first what stands, then the next version, to which a consumer's project upgrades and trains the same.
import { createHash } from "node:crypto";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runRows } from "../consumers/consumers.ts";
import { startRegistry } from "../consumers/registry.ts";
import { consumerRows } from "../consumers/rows.ts";
import { packAll, type Tarball, tarballProblems } from "../consumers/tarballs.ts";
import { installTools, run, tools } from "../consumers/tools.ts";
import { Upgrade } from "./upgrade.ts";

const dry = process.argv.includes("--dry");
const say = (line: string): void => console.log(line);

async function git(...args: string[]): Promise<string> {
  return (await run(["git", ...args])).stdout.trim();
}

/** Builds the checkout anew, so that nothing of a deleted source is left, and packs it. */
async function freshTarballs(root: string, folder: string): Promise<Tarball[]> {
  await run(["pnpm", "--recursive", "exec", "rm", "-rf", "dist"], { cwd: root });
  await run(["pnpm", "build", "--force"], { cwd: root });
  const tarballs = await packAll(folder, root);
  const problems = (await Promise.all(tarballs.map(tarballProblems))).flat();
  if (problems.length > 0) throw new Error(problems.join("\n"));
  for (const { name, file } of tarballs)
    say(
      `${createHash("sha256")
        .update(await readFile(file))
        .digest("hex")}  ${name} ${/-([\d.]+[^/]*)\.tgz$/.exec(file)?.[1]}`,
    );
  return tarballs;
}

async function tryOn(tarballs: readonly Tarball[], registry: string, folder: string): Promise<void> {
  const problems = await runRows(consumerRows(tarballs, registry, folder), say);
  if (problems.length > 0) throw new Error(problems.join("\n"));
}

async function rehearse(folder: string): Promise<void> {
  const clone = join(folder, "clone");
  await run(["git", "clone", "--quiet", process.cwd(), clone]);
  await run(["scripts/set-up.sh"], { cwd: clone });
  await using registry = await startRegistry(folder);
  for (const { file } of await freshTarballs(clone, join(folder, "last"))) await registry.publish(file);
  const upgrade = await Upgrade.begin(registry.url, folder);
  await run(["pnpm", "changeset", "version"], { cwd: clone });
  const next = await freshTarballs(clone, join(folder, "next"));
  for (const { file } of next) await registry.publish(file);
  say(await upgrade.finish());
  await tryOn(next, registry.url, folder);
}

async function release(folder: string): Promise<void> {
  if ((await git("status", "--porcelain")) !== "")
    throw new Error("the tree has changes: commit them, or set them aside");
  const pending = (await git("ls-files", ".changeset/*.md")).split("\n").filter((file) => file !== "");
  if (pending.length > 0)
    throw new Error(
      `${pending.length} changesets wait: run pnpm changeset version, look at the changelogs, commit, and release then`,
    );
  await run(["./check", "--full"], { timeout: 0 });
  const tarballs = await freshTarballs(process.cwd(), join(folder, "tarballs"));
  await using registry = await startRegistry(folder);
  for (const { file } of tarballs) await registry.publish(file);
  await tryOn(tarballs, registry.url, folder);
  for (const { file } of tarballs) await run([...tools.npm, "publish", file, "--access", "public"]);
  await run(["pnpm", "changeset", "tag"]);
  say("published and tagged; now: git push --follow-tags");
}

const folder = await mkdtemp(join(tmpdir(), "iapo-release-"));
try {
  await installTools();
  await (dry ? rehearse(folder) : release(folder));
} catch (error) {
  console.error(`release: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
} finally {
  await rm(folder, { recursive: true, force: true, maxRetries: 3 });
}
