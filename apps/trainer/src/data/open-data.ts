// Data files on this machine. Unless said otherwise, pictures and source tables lie beside the file that names them.
import { dirname, join } from "node:path";
import type { Task } from "@iapo/rollout-trace";
import { type BadRow, type DataFile, type DataFormat, loadTasks, localFiles } from "@iapo/vqa-tasks";

export interface DataPlace {
  readonly format: DataFormat;
  readonly images?: string | undefined;
  readonly tables?: string | undefined;
}

export interface FileBeside {
  readonly file: DataFile;
  /** The folder that it lies in. */
  readonly folder: string;
}

/** A file, or all data files below a folder. @throws VqaTasksError `missing_file` */
export async function filesOf(path: string): Promise<FileBeside[]> {
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
  files: readonly FileBeside[],
  { format, images, tables }: DataPlace,
  report?: DataReport,
): AsyncGenerator<Task> {
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
