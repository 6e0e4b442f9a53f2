/** From a configuration's `data` to numbered tasks. */

import { createHash, type Hash } from "node:crypto";
import type { Task } from "@iapo/rollout-trace";
import type { DataOptions, DataSettings } from "../config.ts";
import { VqaTasksError } from "../error.ts";
import { loadRecords } from "../loaders/load.ts";
import { withPicture } from "../loaders/pictures.ts";
import type { TaskRecord } from "../loaders/record.ts";
import { createNanoCharts, type NanoCharts } from "../nano/charts.ts";
import { checkTask } from "../task.ts";
import { filesOf } from "./data-files.ts";

/** Tasks by their numbers, from 0. */
export type TaskList = {
  readonly length: number;
  /** SHA-256 of the rows that the tasks are made of; undefined where they are a function of the settings. Pictures beside the rows are not in it. */
  readonly content?: string | undefined;
  task(index: number): Promise<Task>;
};

export type OpenTasks = {
  readonly train: TaskList;
  readonly validation: TaskList | undefined;
  /** Where the tasks are nano-charts. */
  readonly charts: NanoCharts | undefined;
};

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
  const of = (split: "train" | "validation", length: number): TaskList => ({
    length,
    task: async (index) => (await charts.chart(split, index)).task,
  });
  return { train: of("train", limit ?? MANY), validation: of("validation", MANY), charts };
}

type Placed = { readonly record: TaskRecord; readonly folder: string | undefined };

/** Records are kept, pictures are read when asked for: decoded they would not fit. */
async function recordTasks(options: DataOptions, limit = Number.POSITIVE_INFINITY): Promise<TaskList> {
  const { format, onBadRow, images, tables } = options;
  const files = await filesOf(options);
  const whole = ({ record, folder }: Placed) =>
    withPicture(record, { images: images ?? folder, tables: tables ?? folder }).then(checkTask);
  const records: Placed[] = [];
  const hash = createHash("sha256");
  for (const { file, folder } of files) {
    for await (const record of loadRecords({ format, files: [file], onBadRow })) {
      if (records.length >= limit) break;
      const usable = onBadRow === "fail" || (await whole({ record, folder }).catch(() => undefined));
      if (!usable) continue;
      records.push({ record, folder });
      addTo(hash, record);
    }
  }
  const [first] = records;
  if (!first)
    throw new VqaTasksError(
      "missing_file",
      `${options.path ?? options.hub?.repository}: no usable task in ${files.length} files`,
    );
  await whole(first); // folders that are wrong are found out before the run
  return {
    length: records.length,
    content: hash.digest("hex"),
    async task(index) {
      const placed = records[index];
      if (!placed) throw new RangeError(`task ${index} of ${records.length}`);
      return whole(placed);
    },
  };
}

function addTo(hash: Hash, { picture, ...row }: TaskRecord): void {
  const { bytes, ...source } = { bytes: undefined, ...picture };
  hash.update(JSON.stringify([row, source, bytes?.length ?? 0]));
  if (bytes) hash.update(bytes);
}
