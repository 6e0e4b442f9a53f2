// Figures that studies leave beside runs: case studies, diagnoses, ablations, attributions. Only names that these give are looked for.
import { readdir, readFile, stat } from "node:fs/promises";
import { dirname, join, relative, resolve } from "node:path";
import { caseStudyFile } from "@iapo/run-report";

/** Pictures, as `iapo diagnose`, `ablate`, `attribute` and `report --figures` call them. */
const pictures: ReadonlySet<string> = new Set([
  ...[
    "diagnosis.svg",
    "case-study.svg",
    "time.svg",
    "tool-use.svg",
    "faults.svg",
    "blocks.svg",
    "heat.png",
    "image.png",
  ],
]);
const deepest = 4;
const mostFiles = 100;
const mostBytes = 8 * 2 ** 20;

export interface StudyFile {
  /** Relative to the directory that was named. */
  readonly name: string;
  readonly path: string;
}

export interface StudyFiles {
  readonly pictures: readonly StudyFile[];
  /** Directories with a case study. */
  readonly caseStudies: readonly StudyFile[];
}

export async function findStudies(directories: readonly string[]): Promise<StudyFiles> {
  const found: { pictures: StudyFile[]; caseStudies: StudyFile[] } = { pictures: [], caseStudies: [] };
  for (const directory of directories) await search(resolve(directory), dirname(resolve(directory)), 0, found);
  return found;
}

async function search(
  directory: string,
  root: string,
  depth: number,
  found: { readonly pictures: StudyFile[]; readonly caseStudies: StudyFile[] },
): Promise<void> {
  const entries = await readdir(directory, { withFileTypes: true }).catch(() => []);
  for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const path = join(directory, entry.name);
    if (entry.isDirectory() && depth < deepest && !/^(?:steps|images|checkpoints|node_modules|\..*)$/.test(entry.name))
      await search(path, root, depth + 1, found);
    if (!entry.isFile()) continue; // a link leads elsewhere
    if (found.pictures.length < mostFiles && pictures.has(entry.name))
      found.pictures.push({ name: relative(root, path), path });
    if (entry.name === caseStudyFile) found.caseStudies.push({ name: relative(root, directory), path: directory });
  }
}

/** Undefined where it is larger than a figure is. */
export async function readPicture({ path }: StudyFile): Promise<Buffer | undefined> {
  const { size } = await stat(path);
  return size <= mostBytes ? readFile(path) : undefined;
}
