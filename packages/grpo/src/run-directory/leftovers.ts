// What a killed process has left between writing a file and giving it its name.
import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";

const uuid = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}";

/** By folder of the run, `""` itself: names that only a run's own writers give. Steps and checkpoints have rules of their own. */
const leftovers: readonly (readonly [folder: string, pattern: RegExp])[] = [
  ["", new RegExp(`^(?:run\\.json|config\\.yaml)\\.${uuid}\\.partial$|^events\\.out\\.tfevents\\..*\\.partial$`)],
  ["images", /^[0-9a-f]{64}\.png\..+\.partial$/],
  ["teacher-calls", /\.partial$/],
];

/** Call it before a run goes on, with no other writer at work. */
export async function removeLeftovers(directory: string): Promise<void> {
  for (const [folder, pattern] of leftovers) {
    const place = join(directory, folder);
    const names = await readdir(place).catch((): string[] => []); // not every run has it
    for (const name of names) if (pattern.test(name)) await rm(join(place, name), { force: true });
  }
}
