// Real charts and tables for the demo: tasks of published sets below a directory, half to train on, half held out.
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import type { VisualTask } from "@iapo/vqa-tasks";
import type { DataFormat } from "@iapo/vqa-tasks/loaders";
import { emptyReport, filesOf, readTasks, writeData } from "@iapo/vqa-tasks/sources";
import { TrainerError } from "../error.ts";

/** Of charts and of tables: so many to train on, and as many held out, where there are. */
const OF_A_KIND = 30;

/** Folders by how their names begin. */
const kinds: readonly (readonly { readonly folder: string; readonly format: DataFormat }[])[] = [
  [
    { folder: "refocus", format: "refocus" },
    { folder: "chartqa", format: "refocus" },
  ],
  [
    { folder: "tablevqabench", format: "tablevqabench" },
    { folder: "tabfact", format: "tabfact" },
    { folder: "wtq", format: "wikitablequestions" },
  ],
];

interface RealTasks {
  /** Files in this product's own form. */
  readonly train: string;
  readonly heldOut: string;
  /** Held-out tasks. */
  readonly count: number;
}

/** Tasks are converted once: `directory` is used again. @throws TrainerError `missing` where nothing can be read, with what each folder lacks */
export async function realTasks(data: string, directory: string, note: (text: string) => void): Promise<RealTasks> {
  const places = { train: join(directory, "train"), heldOut: join(directory, "held-out") };
  if (!(await stat(places.heldOut).catch(() => undefined))) {
    const tasks = await gather(data, note);
    await writeData(everySecond(tasks, 0), "tasks", places.train);
    await writeData(everySecond(tasks, 1), "tasks", places.heldOut);
  }
  const file = (place: string): string => join(place, "tasks.jsonl");
  let count = 0;
  const heldOut = await filesOf({ path: file(places.heldOut) });
  for await (const _ of readTasks(heldOut, { format: "tasks" })) count++;
  return { train: file(places.train), heldOut: file(places.heldOut), count };
}

async function gather(data: string, note: (text: string) => void): Promise<VisualTask[]> {
  const names = await readdir(data).catch((cause: NodeJS.ErrnoException) => {
    throw new TrainerError("missing", `${data} cannot be read: ${cause.message}`, { cause });
  });
  const gathered: VisualTask[] = [];
  const lacks: string[] = [];
  for (const kind of kinds) {
    const found = kind.flatMap((place) =>
      names.filter((name) => name.startsWith(place.folder)).map((name) => ({ ...place, folder: join(data, name) })),
    );
    let left = 2 * OF_A_KIND;
    for (const [i, { folder, format }] of found.entries()) {
      const report = emptyReport();
      const tasks: VisualTask[] = [];
      const share = Math.ceil(left / (found.length - i));
      for await (const task of readTasks(await filesOf({ path: folder }), { format }, report)) {
        if (tasks.push(task) === share) break;
      }
      left -= tasks.length;
      gathered.push(...tasks);
      note(`${folder}: ${tasks.length} tasks`);
      const [bad] = report.badRows;
      if (tasks.length === 0)
        lacks.push(`${folder}: ${bad ? `${bad.file}, row ${bad.row}: ${bad.reason}` : "no rows"}`);
    }
  }
  if (gathered.length >= 2) return gathered;
  const wanted = kinds.flat().map(({ folder }) => folder);
  throw new TrainerError(
    "missing",
    [`${data} holds no tasks that can be read, in folders named ${wanted.join(", ")}`, ...lacks].join("\n  "),
  );
}

async function* everySecond(tasks: readonly VisualTask[], first: number): AsyncGenerator<VisualTask> {
  yield* tasks.filter((_, i) => i % 2 === first);
}
