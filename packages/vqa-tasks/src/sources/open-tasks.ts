// From a configuration's `data` to numbered tasks.
import { createHash, type Hash } from "node:crypto";
import type { DataOptions, DataSettings } from "../config.ts";
import { VqaTasksError } from "../error.ts";
import { type BadRow, loadRecords } from "../loaders/load.ts";
import { withPicture } from "../loaders/pictures.ts";
import type { TaskRecord } from "../loaders/record.ts";
import { createNanoCharts, type NanoCharts } from "../nano/charts.ts";
import { checkTask, type VisualTask } from "../task.ts";
import { filesOf } from "./data-files.ts";

/** Tasks by their numbers, from 0. */
export interface TaskList {
  readonly length: number;
  /** SHA-256 of the rows that the tasks are made of, and of their pictures' pixels; undefined where they are a function of the settings. */
  readonly content?: string | undefined;
  /** Rows that were left out, where `onBadRow: skip` says so. */
  readonly leftOut?: LeftOut | undefined;
  task(index: number): Promise<VisualTask>;
}

export interface LeftOut {
  /** Rows, or tasks of a row. */
  readonly count: number;
  /** The first of them. */
  readonly first: readonly BadRow[];
}

export interface OpenTasksOptions {
  /** What else makes a row a bad one, such as a prompt that a model does not take: the reason, or undefined for a good one. */
  readonly check?: ((task: VisualTask) => string | undefined) | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Hears how many tasks were looked at. */
  readonly onTask?: ((count: number) => void) | undefined;
}

export interface OpenTasks {
  readonly train: TaskList;
  readonly validation: TaskList | undefined;
  /** Where the tasks are nano-charts. */
  readonly charts: NanoCharts | undefined;
}

/** Nano-charts are drawn when asked for, so there are as many as a run can use. */
const MANY = 100_000;

/**
 * Every row of a file is looked at before a run, its picture included: a bad one is found now, not hours later.
 * @throws VqaTasksError `bad_row` with file and row where `onBadRow` is `fail`; `missing_file`; the reason of `signal`
 */
export async function openTasks(
  { nanoCharts, files, validation, limit }: DataSettings,
  options: OpenTasksOptions = {},
): Promise<OpenTasks> {
  if (files) {
    return {
      train: await recordTasks(files, limit, options),
      validation: validation && (await recordTasks(validation, undefined, options)),
      charts: undefined,
    };
  }
  const charts = await createNanoCharts(nanoCharts);
  const of = (split: "train" | "validation", length: number): TaskList => ({
    length,
    task: async (index) => (await charts.chart(split, index)).task,
  });
  return { train: of("train", limit ?? MANY), validation: of("validation", MANY), charts };
}

/** Records are kept, pictures are read again when asked for: decoded they would not fit. */
async function recordTasks(
  options: DataOptions,
  limit = Number.POSITIVE_INFINITY,
  { check, signal, onTask }: OpenTasksOptions = {},
): Promise<TaskList> {
  const { format, onBadRow, images, tables } = options;
  const files = await filesOf(options);
  const made: (() => Promise<VisualTask>)[] = [];
  const hash = createHash("sha256");
  const pixels = new WeakMap<TaskRecord, string>();
  const leftOut: { count: number; first: BadRow[] } = { count: 0, first: [] };
  for (const { file, folder } of files) {
    if (made.length >= limit) break;
    const folders = { images: images ?? folder, tables: tables ?? folder };
    const whole = (record: TaskRecord): Promise<VisualTask> => withPicture(record, folders).then(checkTask);
    const examine = async (record: TaskRecord): Promise<TaskRecord> => {
      const task = await whole(record);
      const reason = check?.(task);
      if (reason !== undefined) throw new VqaTasksError("bad_row", reason);
      pixels.set(record, task.content.image.id);
      return record;
    };
    const stream = loadRecords({ format, files: [file], onBadRow, examine, signal });
    for await (const record of stream) {
      made.push(() => whole(record));
      addTo(hash, record, pixels.get(record));
      onTask?.(made.length);
      if (made.length >= limit) break;
    }
    leftOut.count += stream.report.skipped;
    leftOut.first.push(...stream.report.badRows.slice(0, SHOWN_BAD_ROWS - leftOut.first.length));
  }
  if (made.length === 0) throw nothingLeft(options, files.length, leftOut);
  return {
    length: made.length,
    content: hash.digest("hex"),
    leftOut: leftOut.count > 0 ? leftOut : undefined,
    async task(index) {
      const make = made[index];
      if (!make) throw new RangeError(`task ${index} of ${made.length}`);
      return make();
    },
  };
}

const SHOWN_BAD_ROWS = 8;

function nothingLeft({ path, hub }: DataOptions, files: number, { count, first: [bad] }: LeftOut): VqaTasksError {
  const place = `${path ?? hub?.repository}: no usable task in ${files} files`;
  const why = bad ? `; ${count} rows are bad, the first: ${bad.file}, row ${bad.row}: ${bad.reason}` : "";
  return new VqaTasksError("missing_file", place + why);
}

/** `5 of 6 rows of train are left out: a.jsonl, row 2: ...; ...` */
export function leftOutWords(
  { length, leftOut }: Pick<TaskList, "length" | "leftOut">,
  name: string,
): string | undefined {
  if (!leftOut) return undefined;
  const shown = leftOut.first.slice(0, 3).map(({ file, row, reason }) => `${file}, row ${row}: ${reason}`);
  const more = leftOut.count > shown.length ? `; and ${leftOut.count - shown.length} more` : "";
  return `${leftOut.count} of ${leftOut.count + length} rows of ${name} are left out: ${shown.join("; ")}${more}`;
}

function addTo(hash: Hash, { picture, ...row }: TaskRecord, pixels: string | undefined): void {
  const { bytes: _, ...source } = { bytes: undefined, ...picture };
  hash.update(JSON.stringify([row, source, pixels]));
}
