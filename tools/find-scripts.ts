// Finds the benchmarks and fuzzers that packages bring: packages/*/bench/<name>.bench.ts, packages/*/fuzz/<name>.fuzz.ts.
import { globSync } from "node:fs";
import { basename, resolve } from "node:path";

export interface Script {
  name: string;
  file: string;
}

/** The scripts of a kind, all of them or the named ones. Throws when a name is not there or is there twice. */
export function findScripts(kind: "bench" | "fuzz", names: string[], root: string = process.cwd()): Script[] {
  const all = globSync(`{packages,apps}/*/${kind}/*.${kind}.ts`, { cwd: root })
    .sort()
    .map((file) => ({ name: basename(file, `.${kind}.ts`), file: resolve(root, file) }));
  const known = all.map((script) => script.name);
  const twice = known.find((name, index) => known.indexOf(name) !== index);
  if (twice !== undefined)
    throw new Error(`two files are named ${twice}.${kind}.ts; names must differ across packages`);
  const unknown = names.find((name) => !known.includes(name));
  if (unknown !== undefined) throw new Error(`no ${kind} named ${unknown}; there is ${known.join(", ") || "none yet"}`);
  return names.length === 0 ? all : all.filter((script) => names.includes(script.name));
}
