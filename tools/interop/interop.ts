// pnpm interop [row...]: round trips with the Python ecosystem, each a file of rows/. Makes the virtual environment first; where that cannot be
// had, says so and runs nothing.
import { spawnSync } from "node:child_process";
import { join } from "node:path";

const folder = import.meta.dirname;
/** What set-up.sh ends with where there is no Python or no package index. */
const notHere = 3;

/** What does not hold; `note` hears what was skipped, and why. */
export function tryInterop(note: (line: string) => void, rows: readonly string[] = []): string[] {
  const setUp = spawnSync(join(folder, "set-up.sh"), { encoding: "utf8" });
  if (setUp.status === notHere) {
    note(`interop is skipped: ${setUp.stdout.trim()}`);
    return [];
  }
  if (setUp.status !== 0) return [`tools/interop/set-up.sh: exit code ${setUp.status}\n${setUp.stdout}${setUp.stderr}`];
  const files = rows.map((row) => `rows/${row}.test.ts`);
  const run = spawnSync("vitest", ["run", "--config", join(folder, "vitest.config.ts"), ...files], {
    stdio: ["ignore", "inherit", "inherit"],
  });
  return run.status === 0 ? [] : ["pnpm interop: rows failed, see above"];
}

if (import.meta.main) {
  const problems = tryInterop(console.log, process.argv.slice(2));
  for (const problem of problems) console.error(problem);
  process.exitCode = problems.length > 0 ? 1 : 0;
}
