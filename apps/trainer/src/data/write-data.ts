// A folder of tasks: a file of rows and its pictures, each once. It appears when it is whole.
import { mkdir, open, rename, rm, stat } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import type { Task } from "@iapo/rollout-trace";
import { writeImage } from "@iapo/visual-tools/sharp";
import { TrainerError } from "../error.ts";
import { withBoxes } from "./boxes.ts";
import { rowOf, type WrittenForm } from "./written-rows.ts";

export interface WrittenData {
  readonly tasks: number;
  readonly pictures: number;
  readonly file: string;
}

/**
 * @param boxes also a picture of each with its boxes drawn, in `boxes/`
 * @throws TrainerError `exists`; after an error nothing is left
 */
export async function writeData(
  tasks: AsyncIterable<Task>,
  form: WrittenForm,
  directory: string,
  boxes = false,
): Promise<WrittenData> {
  const target = resolve(directory);
  if (await stat(target).catch(() => undefined))
    throw new TrainerError("exists", `${directory} is there already; choose another --out`);
  const partial = `${target}.${process.pid}.partial`;
  const name = `${form}.jsonl`;
  const pictures = new Set<string>();
  let count = 0;
  try {
    await mkdir(dirname(target), { recursive: true });
    await mkdir(join(partial, "images"), { recursive: true });
    if (boxes) await mkdir(join(partial, "boxes"));
    await using file = await open(join(partial, name), "w");
    for await (const task of tasks) {
      const picture = `${task.image.id.slice(0, 16)}.png`;
      if (!pictures.has(picture)) {
        await writeImage(join(partial, "images", picture), task.image);
        if (boxes) await writeImage(join(partial, "boxes", picture), withBoxes(task));
        pictures.add(picture);
      }
      await file.write(`${JSON.stringify(rowOf(form, task, `images/${picture}`))}\n`);
      count++;
    }
    await file.sync();
    if (count === 0) throw new TrainerError("missing", "there is no task to be written");
    await rename(partial, target);
  } catch (error) {
    await rm(partial, { recursive: true, force: true });
    throw error;
  }
  return { tasks: count, pictures: pictures.size, file: join(directory, name) };
}
