// A folder of tasks: a file of rows and its pictures, each once. It appears when it is whole.
import { type FileHandle, mkdir, open, rename, rm, stat } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { TraceError } from "@iapo/rollout-trace";
import { besideOf, makeDirectory, removeAbandoned, writeAdvice } from "@iapo/rollout-trace/files";
import { VqaTasksError } from "../error.ts";
import type { VisualTask } from "../task.ts";
import { withBoxes } from "./draw-boxes.ts";
import { rowOf, type WrittenForm } from "./written-rows.ts";

export interface WrittenData {
  readonly tasks: number;
  readonly pictures: number;
  readonly file: string;
}

export interface WriteOptions {
  /** Also a picture of each with its boxes drawn, in `boxes/`. */
  readonly boxes?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * @throws VqaTasksError `exists`, `write_failed`, and the signal's reason; after an error nothing is left
 */
export async function writeData(
  tasks: AsyncIterable<VisualTask>,
  form: WrittenForm,
  directory: string,
  { boxes = false, signal }: WriteOptions = {},
): Promise<WrittenData> {
  const { writeImage } = await import("@iapo/visual-tools/sharp");
  const target = resolve(directory);
  if (await stat(target).catch(() => undefined))
    throw new VqaTasksError("exists", `${directory} is there already; choose another --out`);
  const partial = besideOf(target);
  await removeAbandoned(dirname(target), basename(target));
  const name = `${form}.jsonl`;
  const pictures = new Set<string>();
  let count = 0;
  const add = async (file: FileHandle, task: VisualTask): Promise<void> => {
    const picture = `${task.content.image.id.slice(0, 16)}.png`;
    if (!pictures.has(picture)) {
      await writeImage(join(partial, "images", picture), task.content.image);
      if (boxes) await writeImage(join(partial, "boxes", picture), withBoxes(task.content));
      pictures.add(picture);
    }
    await file.appendFile(`${JSON.stringify(rowOf(form, task, `images/${picture}`))}\n`);
    count++;
  };
  const writing = <T>(work: Promise<T>): Promise<T> =>
    work.catch((cause: Error) => {
      const problem = `${directory} cannot be written: ${cause.message}`;
      throw new VqaTasksError(
        "write_failed",
        cause instanceof TraceError ? problem : `${problem}; ${writeAdvice(cause)}`,
        {
          cause,
        },
      );
    });
  try {
    await writing(makeDirectory(join(partial, "images")));
    if (boxes) await writing(mkdir(join(partial, "boxes")));
    await using file = await writing(open(join(partial, name), "w"));
    for await (const task of tasks) {
      signal?.throwIfAborted();
      await writing(add(file, task));
    }
    if (count === 0) throw new VqaTasksError("missing_file", "there is no task to be written");
    await writing(file.sync());
    await writing(rename(partial, target));
  } catch (error) {
    await rm(partial, { recursive: true, force: true }).catch(() => undefined); // the first error is the one to tell
    throw error;
  }
  return { tasks: count, pictures: pictures.size, file: join(directory, name) };
}
