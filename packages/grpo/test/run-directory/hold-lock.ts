// Takes a directory's lock and holds it for a moment; says whether it was alone.
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { lockDirectory } from "../../src/run-directory/index.ts";

const [directory = "", until = "0"] = process.argv.slice(2);
await setTimeout(Math.max(0, Number(until) - Date.now())); // so that all begin at once
try {
  const { release } = await lockDirectory(directory);
  const witness = join(directory, "witness");
  writeFileSync(witness, "", { flag: "wx" });
  await setTimeout(50);
  rmSync(witness);
  await release();
  process.stdout.write("held");
} catch (error) {
  const { code } = error as { code?: string };
  process.stdout.write(code ?? String(error));
}
