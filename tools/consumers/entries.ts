// Every entry loads, and a kernel runs: what each package manager and each runtime is tried with.
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Project } from "./project.ts";
import type { Tarball } from "./tarballs.ts";

export function entriesOf(tarballs: readonly Tarball[]): string[] {
  return tarballs.flatMap(({ manifest }) =>
    Object.entries(manifest.exports ?? {})
      .filter(([, target]) => typeof target === "object")
      .map(([entry]) => manifest.name + entry.slice(1)),
  );
}

/** Writes `entries.js`, which ends with exit code 1 and the reasons where an entry does not load or a sum is wrong. */
export async function writeEntries({ folder }: Project, tarballs: readonly Tarball[]): Promise<void> {
  const program = `const failed = [];
for (const entry of ${JSON.stringify(entriesOf(tarballs))}) {
  try { await import(entry); } catch (error) { failed.push(entry + ": " + error.message); }
}
const { add, openDevice } = await import("@iapo/tensor-core");
const device = await openDevice();
const x = device.tensor([1, 2], [2]);
const sum = await add(x, x).read();
if (String(sum) !== "2,4") failed.push("1 + 1, 2 + 2 gives " + sum);
device.close();
if (failed.length > 0) { console.error(failed.join("\\n")); process.exit(1); }
`;
  await writeFile(join(folder, "entries.js"), program);
}
