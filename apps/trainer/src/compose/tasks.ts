// From a configuration's `data` to numbered tasks.
import type { TaskSource } from "@iapo/grpo";
import {
  checkTask,
  createNanoCharts,
  type DataFile,
  hubFiles,
  loadRecords,
  localFiles,
  type NanoCharts,
  type TaskRecord,
  VqaTasksError,
  withPicture,
} from "@iapo/vqa-tasks";
import type { DataOptions } from "@iapo/vqa-tasks/config";
import type { DataSettings } from "../config/data.ts";

export interface OpenTasks {
  readonly train: TaskSource;
  readonly validation: TaskSource | undefined;
  /** Where the tasks are nano-charts. */
  readonly charts: NanoCharts | undefined;
}

/** Nano-charts are drawn when asked for, so there are as many as a run can use. */
const MANY = 100_000;

/** @throws VqaTasksError */
export async function openTasks({ nanoCharts, files, validation, limit }: DataSettings): Promise<OpenTasks> {
  if (files) {
    return {
      train: await recordTasks(files, limit),
      validation: validation && (await recordTasks(validation, undefined)),
      charts: undefined,
    };
  }
  const charts = await createNanoCharts(nanoCharts);
  const of = (split: "train" | "validation", length: number): TaskSource => ({
    length,
    task: async (index) => (await charts.chart(split, index)).task,
  });
  return { train: of("train", limit ?? MANY), validation: of("validation", MANY), charts };
}

/** Records are kept, pictures are read when asked for: decoded they would not fit. */
async function recordTasks(options: DataOptions, limit: number | undefined): Promise<TaskSource> {
  const { format, onBadRow, images, tables } = options;
  const files = await filesOf(options);
  const whole = (record: TaskRecord) => withPicture(record, { images, tables }).then(checkTask);
  const records: TaskRecord[] = [];
  for await (const record of loadRecords({ format, files, onBadRow })) {
    if (records.length >= (limit ?? Number.POSITIVE_INFINITY)) break;
    const usable = onBadRow === "fail" || (await whole(record).catch(() => undefined));
    if (usable) records.push(record);
  }
  const [first] = records;
  if (!first)
    throw new VqaTasksError(
      "missing_file",
      `${options.path ?? options.hub?.repository}: no usable task in ${files.length} files`,
    );
  await whole(first); // folders that are wrong are found out before the run
  return { length: records.length, task: (index) => whole(records[index]!) };
}

function filesOf({ path, hub }: DataOptions): Promise<DataFile[]> {
  if (path !== undefined) return localFiles(path);
  const { repository = "", ...options } = hub ?? {};
  return hubFiles(repository, options);
}
