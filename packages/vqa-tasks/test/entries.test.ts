/** What importing an entry loads: no image library, no hub client, no parquet, before somebody asks for a picture or a file. */

import { execFileSync } from "node:child_process";
import { expect, test } from "vitest";

const heavy = ["sharp", "@huggingface/hub", "hyparquet", "hyparquet-compressors", "@resvg/resvg-wasm"];

/** Packages that an import in a process of its own resolves. */
function packagesOf(entry: string): string[] {
  const program = `
    import { registerHooks } from "node:module";
    const seen = new Set();
    registerHooks({ resolve(specifier, context, next) { seen.add(specifier); return next(specifier, context); } });
    await import(${JSON.stringify(entry)});
    console.log(JSON.stringify([...seen]));`;
  const args = ["--conditions=@iapo/source", "--input-type=module", "--eval", program];
  return JSON.parse(execFileSync("node", args, { cwd: import.meta.dirname, encoding: "utf8" }));
}

test.each([
  "@iapo/vqa-tasks",
  "@iapo/vqa-tasks/config",
  "@iapo/vqa-tasks/scoring",
  "@iapo/vqa-tasks/nano",
  "@iapo/vqa-tasks/loaders",
  "@iapo/vqa-tasks/sources",
])("%s loads nothing heavy", (entry) => {
  const loaded = packagesOf(entry);
  expect(loaded).toContain("zod");
  expect(loaded.filter((name) => heavy.includes(name))).toEqual([]);
});
