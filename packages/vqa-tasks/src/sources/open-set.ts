// From the name of a set to its tasks, one after the other; what is missing is counted and said.
import { stat } from "node:fs/promises";
import { basename, join } from "node:path";
import { VqaTasksError } from "../error.ts";
import type { DataFormat } from "../loaders/formats.ts";
import { loadRecords } from "../loaders/load.ts";
import { createNanoCharts } from "../nano/charts.ts";
import type { NanoSplit } from "../nano/tables.ts";
import { ruleOf, type ScoringRule } from "../scoring/rules.ts";
import type { VisualTask } from "../task.ts";
import { type DataFilePlace, emptyReport, filesOf, readTasks } from "./data-files.ts";
import { leftOutWords, openTasks } from "./open-tasks.ts";
import { type TestSet, type TestSetName, testSets } from "./test-sets.ts";

export interface OpenSet {
  /** A {@link SetName}, or what own tasks are called. */
  readonly name: string;
  /** The rule that scores its answers where nothing else is asked for. */
  readonly rule: ScoringRule;
  /** In the order of the files; a fresh pass each time. */
  tasks(): AsyncIterable<VisualTask>;
  /** Tasks at most; fewer where images are missing. */
  readonly stated: number;
  /** What identifies its content, for the settings of an evaluation. */
  readonly content: readonly string[];
}

/** A set that cannot be evaluated, and what to do about it. */
export interface MissingSet {
  readonly name: TestSetName;
  readonly missing: string;
}

export interface NanoSetOptions {
  readonly seed: number;
  readonly split: NanoSplit;
  readonly count: number;
}

/** Charts with names of one word, as the nano models know them. */
export async function openNano({ seed, split, count }: NanoSetOptions): Promise<OpenSet> {
  const charts = await createNanoCharts({ seed, names: "words" });
  return {
    name: "nano",
    rule: ruleOf("nano_charts"),
    stated: count,
    content: [`nano-charts ${seed} ${split}`],
    async *tasks() {
      for (let index = 0; index < count; index++) yield (await charts.chart(split, index)).task;
    },
  };
}

export interface OwnSetOptions {
  /** A file, or a folder with data files. */
  readonly path: string;
  readonly format?: DataFormat | undefined;
  readonly images?: string | undefined;
  readonly tables?: string | undefined;
  /** Hears what is left out, and why. */
  readonly onLeftOut?: ((words: string) => void) | undefined;
}

/** Own tasks, in any format that the loaders read. @throws VqaTasksError `missing_file` where no row can be used */
export async function openOwnSet({
  path,
  format = "tasks",
  images,
  tables,
  onLeftOut,
}: OwnSetOptions): Promise<OpenSet> {
  const { train } = await openTasks({ files: { format, path, images, tables, onBadRow: "skip" } });
  const leftOut = leftOutWords(train, path);
  if (leftOut !== undefined) onLeftOut?.(leftOut);
  const { source } = await train.task(0);
  return {
    name: basename(path).replace(/\.(?:jsonl?|parquet|tsv)(?:\.gz)?$/i, "") || "tasks",
    rule: ruleOf(source),
    stated: train.length,
    content: [train.content ?? ""],
    async *tasks() {
      for (let index = 0; index < train.length; index++) yield await train.task(index);
    },
  };
}

/** @param data directory with a folder for each source of test sets */
export async function openTestSet(name: TestSetName, data: string | undefined): Promise<OpenSet | MissingSet> {
  const set = testSets[name];
  const folders = set.places.map(({ folder }) => folder).join(" or ");
  if (data === undefined)
    return { name, missing: `no --data directory is given; in its folder ${folders}: ${set.advice}` };
  if (!(await isDirectory(data))) throw new VqaTasksError("missing_file", `${data}: there is no such directory`);
  const place = await firstPlace(set, data);
  if (!place) return { name, missing: `${data} has no folder ${folders}; ${set.advice}` };
  const stated = await countRows(set, place);
  const sizes = await Promise.all(place.files.map(async ({ file }) => `${file.name} ${(await file.open()).size}`));
  if (stated === 0) return { name, missing: `no row of ${join(data, place.folder)} belongs to it; ${set.advice}` };
  const first = await anyTask(set, place);
  if ("missing" in first) return { name, missing: `${stated} questions, but no picture can be read: ${first.missing}` };
  return {
    name,
    rule: ruleOf(first.source),
    stated,
    content: sizes,
    tasks: () => tasksOf(set, place),
  };
}

interface Place {
  readonly folder: string;
  readonly format: DataFormat;
  readonly files: readonly DataFilePlace[];
}

async function firstPlace(set: TestSet, data: string): Promise<Place | undefined> {
  for (const { folder, format } of set.places) {
    const directory = join(data, folder);
    if (await isDirectory(directory)) return { folder, format, files: await filesOf({ path: directory }) };
  }
  return undefined;
}

async function countRows(set: TestSet, { format, files }: Place): Promise<number> {
  let count = 0;
  for await (const record of loadRecords({ format, files: files.map(({ file }) => file), onBadRow: "skip" }))
    if (set.holds(record)) count++;
  return count;
}

/** Rows without a picture are left out. */
async function* tasksOf(set: TestSet, { format, files }: Place, report = emptyReport()): AsyncGenerator<VisualTask> {
  for await (const task of readTasks(files, { format }, report)) if (set.holds(task)) yield task;
}

async function anyTask(set: TestSet, place: Place): Promise<VisualTask | { missing: string }> {
  const report = emptyReport();
  for await (const task of tasksOf(set, place, report)) return task;
  const [bad] = report.badRows;
  return { missing: bad ? `${basename(bad.file)}, row ${bad.row}: ${bad.reason}` : "no row can be read" };
}

async function isDirectory(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined))?.isDirectory() ?? false;
}
