// pnpm consumers [text]: the packages as people get them. Packs them, publishes them on loopback, and installs, compiles, bundles and runs them
// with what people have. Prints a table; rows whose name holds `text`, or all.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startRegistry } from "./registry.ts";
import { consumerRows, type Row } from "./rows.ts";
import { packAll, tarballProblems } from "./tarballs.ts";
import { installTools } from "./tools.ts";

/** What does not hold; `note` gets a line as each row ends. */
export async function tryConsumers(note: (line: string) => void = () => {}, filter = ""): Promise<string[]> {
  if (process.platform !== "linux" || process.arch !== "x64") {
    note("skipped: the pinned Nodes are for x64 Linux");
    return [];
  }
  const folder = await mkdtemp(join(tmpdir(), "iapo-consumers-"));
  try {
    await installTools();
    const tarballs = await packAll(join(folder, "tarballs"));
    const problems = (await Promise.all(tarballs.map(tarballProblems))).flat();
    await using registry = await startRegistry(folder);
    for (const { file } of tarballs) await registry.publish(file);
    return [...problems, ...(await runRows(consumerRows(tarballs, registry.url, folder), note, filter))];
  } finally {
    await rm(folder, { recursive: true, force: true, maxRetries: 3 });
  }
}

/** What does not hold, of the rows whose name holds `filter` and of those that they need. */
export async function runRows(rows: readonly Row[], note: (line: string) => void, filter = ""): Promise<string[]> {
  const problems: string[] = [];
  for (const { name, needed = false, run } of rows) {
    if (!needed && !name.includes(filter)) continue;
    const start = performance.now();
    const outcome = await run().catch((error: Error) => {
      problems.push(`${name}: ${error.message}`);
      return `FAILED: ${error.message.split("\n", 1)[0]}`;
    });
    note(`${name.padEnd(40)} ${((performance.now() - start) / 1000).toFixed(1).padStart(6)} s  ${outcome}`);
  }
  return problems;
}

if (import.meta.main) {
  const problems = await tryConsumers(console.log, process.argv[2]);
  for (const problem of problems) console.error(problem);
  process.exitCode = problems.length > 0 ? 1 : 0;
}
