// The tarballs as they would be published: packed once, each looked into.
import { mkdir, readdir, stat } from "node:fs/promises";
import { join, resolve } from "node:path";
import { type Manifest, readTree } from "../checks/tree.ts";
import budgets from "./budgets.json" with { type: "json" };
import { run } from "./tools.ts";

export interface Tarball {
  readonly name: string;
  readonly manifest: Manifest;
  readonly file: string;
  /** Bytes. */
  readonly size: number;
}

/** Every published package of the house, below `folder`. */
export async function packAll(folder: string, root: string = process.cwd()): Promise<Tarball[]> {
  const published = readTree(root).packages.filter(({ manifest }) => !manifest.private);
  return Promise.all(
    published.map(async ({ folder: room, manifest }) => {
      const into = join(folder, room);
      await mkdir(into, { recursive: true });
      await run(["pnpm", "pack", "--pack-destination", into], { cwd: resolve(root, room) });
      const [name = ""] = await readdir(into);
      const file = join(into, name);
      return { name: manifest.name, manifest, file, size: (await stat(file)).size };
    }),
  );
}

/** What is wrong in a tarball: an entry that is not there, code that no source made, other ranges than `^`, more than its budget. */
export async function tarballProblems({ name, manifest, file, size }: Tarball): Promise<string[]> {
  const [list, packed] = await Promise.all([
    run(["tar", "-tzf", file]),
    run(["tar", "-xzOf", file, "package/package.json"]),
  ]);
  const files = new Set(list.stdout.split("\n").map((path) => path.replace("package/", "")));
  const problems: string[] = [];
  for (const target of Object.values(manifest.exports ?? {}).flatMap((entry) => Object.values(entry)))
    if (typeof target === "string" && target.startsWith("./") && !files.has(target.slice(2)))
      problems.push(`exports ${target}, which is not in it`);
  for (const path of files) {
    const [, stem] = /^dist\/(.+?)\.(?:js|d\.ts)(?:\.map)?$/.exec(path) ?? [];
    const isMade = stem === undefined || stem.startsWith("assets/") || files.has(`src/${stem}.ts`);
    if (!isMade) problems.push(`holds ${path}, which no source made: remove dist and build again`);
    if (/tsbuildinfo/.test(path)) problems.push(`holds ${path}`);
  }
  for (const needed of ["README.md", "LICENSE"]) if (!files.has(needed)) problems.push(`lacks ${needed}`);
  const { dependencies = {}, peerDependencies = {} } = JSON.parse(packed.stdout) as Manifest;
  for (const [dependency, range] of Object.entries({ ...dependencies, ...peerDependencies }))
    if (!range.startsWith("^")) problems.push(`wants ${dependency} ${range}: a range lets security fixes in`);
  const most = (budgets as Record<string, { packedKB: number }>)[name]?.packedKB;
  if (most === undefined) problems.push("has no budget in tools/consumers/budgets.json");
  else if (size > most * 1000) problems.push(`takes ${Math.ceil(size / 1000)} KB packed; its budget is ${most} KB`);
  return problems.map((problem) => `${name} ${problem}`);
}
