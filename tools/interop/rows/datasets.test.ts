// Rows as files: what we write is read by datasets, and what datasets and pyarrow write, as JSON Lines and as parquet, is read here.
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { encodePng } from "@iapo/visual-tools/sharp";
import type { VisualTask } from "@iapo/vqa-tasks";
import { type DataFormat, loadTasks, localFiles } from "@iapo/vqa-tasks/loaders";
import { createNanoCharts } from "@iapo/vqa-tasks/nano";
import { writeData } from "@iapo/vqa-tasks/sources";
import { expect, test } from "vitest";
import { runPython } from "../python.ts";

interface Read {
  readonly rows: number;
  readonly questions: readonly string[];
  readonly answers: readonly (readonly string[])[];
}

test("JSON Lines both ways, parquet with pictures by datasets and by pyarrow", async () => {
  const folder = await mkdtemp(join(tmpdir(), "iapo-datasets-"));
  try {
    const charts = await createNanoCharts({ seed: 1, names: "words" });
    const tasks: VisualTask[] = [];
    for (let i = 0; i < 12; i++) tasks.push((await charts.chart("validation", i)).task);
    const ours = join(folder, "ours");
    const { file } = await writeData(stream(tasks), "tasks", ours);
    const pictures = await Promise.all(
      tasks.map(async ({ content }) => Buffer.from(await encodePng(content.image)).toString("base64")),
    );
    const read = await runPython<Read>("datasets_both_ways", {
      ...{ folder, tasks: file },
      charts: tasks.map(({ content: { question, answers } }, i) => ({
        ...{ image: pictures[i], query: question, label: answers },
      })),
    });
    expect(read).toEqual({
      rows: tasks.length,
      questions: tasks.map(({ content }) => content.question),
      answers: tasks.map(({ content }) => content.answers),
    });
    expect(await load("tasks", join(folder, "theirs/lines"), ours)).toEqual(tasks);
    for (const writer of ["datasets", "pyarrow"]) {
      const loaded = await load("chartqa", join(folder, "theirs", writer));
      expect(loaded.map(essence)).toEqual(tasks.map(essence));
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

async function* stream<T>(values: readonly T[]): AsyncGenerator<T> {
  yield* values;
}

async function load(format: DataFormat, folder: string, images?: string): Promise<VisualTask[]> {
  expect(await readdir(folder)).toHaveLength(1);
  const tasks: VisualTask[] = [];
  const loaded = loadTasks({ format, files: await localFiles(folder), onBadRow: "fail", images });
  for await (const task of loaded) tasks.push(task);
  return tasks;
}

/** What the form of ChartQA holds: pixels by their hash. */
function essence({ content: { question, answers, image } }: VisualTask) {
  return { question, answers, image: image.id };
}
