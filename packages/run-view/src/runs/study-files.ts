// Figures that studies leave beside runs: case studies, diagnoses, ablations, attributions. Only names that these give are looked for.
import { readdir, readFile, stat } from "node:fs/promises";
import { dirname, join, relative, resolve } from "node:path";
import { caseStudyFile, readSmall } from "@iapo/run-report";
import { z } from "zod";

/** Of `iapo attribute`: patches of the picture in the colors of their scores. */
const heatFile = "heat.png";
/** Pictures, as `iapo diagnose`, `ablate`, `attribute` and `report --figures` call them. */
const pictures: ReadonlySet<string> = new Set([
  ...["diagnosis.svg", "case-study.svg", "time.svg", "tool-use.svg", "faults.svg", "blocks.svg", "image.png"],
  heatFile,
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
  /** Directories with what `iapo attribute` says of one call, and the heat of its patches. */
  readonly attributions: readonly StudyFile[];
}

/** What one call on a task rests on, on its picture. */
export interface Heat {
  /** Of the picture, as `StudyFile`. */
  readonly name: string;
  /** The turn that holds the call. */
  readonly text: string;
}

const attributionSchema = z.object({ task: z.string(), text: z.string().max(2 ** 20) });

/** Of a task, by its id. A file that cannot be read is passed over: it is the study's, not the episode's. */
export async function heatsOf({ attributions }: StudyFiles, task: string): Promise<Heat[]> {
  const heats: Heat[] = [];
  for (const { name, path } of attributions) {
    const text = await readSmall(join(path, "attribution.json")).catch(() => undefined);
    const read = attributionSchema.safeParse(parsed(text));
    if (read.success && read.data.task === task) heats.push({ name: join(name, heatFile), text: read.data.text });
  }
  return heats;
}

function parsed(text: string | undefined): unknown {
  try {
    return JSON.parse(text ?? "");
  } catch {
    return undefined;
  }
}

export async function findStudies(directories: readonly string[]): Promise<StudyFiles> {
  const found: Found = { pictures: [], caseStudies: [], attributions: [] };
  for (const directory of directories) await search(resolve(directory), dirname(resolve(directory)), 0, found);
  return found;
}

type Found = { readonly [Kind in keyof StudyFiles]: StudyFile[] };

async function search(directory: string, root: string, depth: number, found: Found): Promise<void> {
  const entries = await readdir(directory, { withFileTypes: true }).catch(() => []);
  for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const path = join(directory, entry.name);
    if (entry.isDirectory() && depth < deepest && !/^(?:steps|images|checkpoints|node_modules|\..*)$/.test(entry.name))
      await search(path, root, depth + 1, found);
    if (!entry.isFile()) continue; // a link leads elsewhere
    if (found.pictures.length < mostFiles && pictures.has(entry.name))
      found.pictures.push({ name: relative(root, path), path });
    if (entry.name === heatFile && found.attributions.length < mostFiles)
      found.attributions.push({ name: relative(root, directory), path: directory });
    if (entry.name === caseStudyFile) found.caseStudies.push({ name: relative(root, directory), path: directory });
  }
}

/** Undefined where it is larger than a figure is. */
export async function readPicture({ path }: StudyFile): Promise<Buffer | undefined> {
  const { size } = await stat(path);
  return size <= mostBytes ? readFile(path) : undefined;
}
