// Data files on this machine or on a hub. Unless said otherwise, pictures and source tables lie beside the file that names them.
import { dirname, join } from "node:path";
import type { DataOptions } from "../config.ts";
import { type DataFile, hubFiles, localFiles } from "../loaders/files.ts";
import type { DataFormat } from "../loaders/formats.ts";
import { type BadRow, loadTasks } from "../loaders/load.ts";
import type { VisualTask } from "../task.ts";

export interface DataPlace {
  readonly format: DataFormat;
  readonly images?: string | undefined;
  readonly tables?: string | undefined;
}

export interface DataFilePlace {
  readonly file: DataFile;
  /** The folder that it lies in; none for a file on a hub. */
  readonly folder: string | undefined;
}

/** A file, all data files below a folder, or those of a data set on a hub. @throws VqaTasksError `missing_file` */
export async function filesOf({ path, hub }: Pick<DataOptions, "path" | "hub">): Promise<DataFilePlace[]> {
  if (path === undefined) {
    const { repository = "", ...options } = hub ?? {};
    return (await hubFiles(repository, options)).map((file) => ({ file, folder: undefined }));
  }
  return (await localFiles(path)).map((file) => ({
    file,
    folder: dirname(file.name === path ? path : join(path, file.name)),
  }));
}

/** Counted while tasks are read. */
export interface DataReport {
  rows: number;
  tasks: number;
  skipped: number;
  badRows: BadRow[];
}

/** Tasks of all files; a row that cannot be a task is counted in `report` and left out. */
export async function* readTasks(
  files: readonly DataFilePlace[],
  { format, images, tables }: DataPlace,
  report?: DataReport,
): AsyncGenerator<VisualTask> {
  for (const { file, folder } of files) {
    const places = { images: images ?? folder, tables: tables ?? folder };
    const stream = loadTasks({ format, files: [file], ...places, onBadRow: "skip" });
    try {
      yield* stream;
    } finally {
      if (report) {
        report.rows += stream.report.rows;
        report.tasks += stream.report.loaded;
        report.skipped += stream.report.skipped;
        report.badRows.push(...stream.report.badRows);
      }
    }
  }
}

export function emptyReport(): DataReport {
  return { rows: 0, tasks: 0, skipped: 0, badRows: [] };
}
