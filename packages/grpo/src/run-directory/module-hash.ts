// SHA-256 of a module of the user's with all files that it imports by relative path, without running it.
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { dirname, resolve } from "node:path";

/** `from "./a.ts"`, `import "./a.ts"`, `import("./a.ts")`, `require("./a.cjs")`. A match in a comment costs nothing. */
const imported = /(?:\bfrom|\bimport|\brequire)\s*\(?\s*["'](\.{1,2}\/[^"'\n]+)["']/g;

/** In lower-case hex, over the modules in order of discovery; a file that is not there counts as missing. */
export async function hashModule(path: string): Promise<string> {
  const hash = createHash("sha256");
  const found = new Set([resolve(path)]);
  for (const file of found) {
    if (!existsSync(file)) {
      hash.update("missing\n");
      continue;
    }
    const bytes = await readFile(file);
    hash.update(`${bytes.length}\n`).update(bytes);
    if (!/\.[cm]?[jt]sx?$/.test(file)) continue;
    for (const [, specifier = ""] of bytes.toString("utf8").matchAll(imported))
      found.add(resolve(dirname(file), specifier));
  }
  return hash.digest("hex");
}
