// iapo data render: nano-charts, or tables from CSV files, as pictures with their boxes.
import { readFile } from "node:fs/promises";
import { basename } from "node:path";
import { identifyImage } from "@iapo/rollout-trace";
import { checkRegularFile } from "@iapo/rollout-trace/files";
import type { VisualTask } from "@iapo/vqa-tasks";
import { parseDelimited } from "@iapo/vqa-tasks/loaders";
import { createNanoCharts, type NanoSplit } from "@iapo/vqa-tasks/nano";
import { defaultTableOptions, loadRasterizer, renderFitting, tableStyles } from "@iapo/vqa-tasks/render";
import { writeData } from "@iapo/vqa-tasks/sources";
import { TrainerError } from "../error.ts";
import { ExitCode } from "../exit-code.ts";
import type { CliIo } from "../io.ts";

/** Of a table. */
const MOST_BYTES = 2 ** 22;

export interface RenderOptions {
  /** CSV files; or `nano`. */
  readonly what: readonly string[];
  readonly out: string;
  /** Of nano-charts. */
  readonly count: number;
  readonly seed: number;
  readonly split: NanoSplit;
}

export async function render({ what, out, ...nano }: RenderOptions, io: CliIo): Promise<number> {
  const tasks = what.length === 1 && what[0] === "nano" ? nanoTasks(nano) : tables(what);
  const { pictures, file } = await writeData(tasks, "tasks", out, { boxes: true, signal: io.signal });
  io.out(`${pictures} pictures in ${out}/images, with their boxes in ${out}/boxes; tasks: ${file}`);
  return ExitCode.done;
}

async function* nanoTasks({ count, seed, split }: Pick<RenderOptions, "count" | "seed" | "split">) {
  const charts = await createNanoCharts({ seed, names: "words" });
  for (let index = 0; index < count; index++) yield (await charts.chart(split, index)).task;
}

/** Without a byte order mark. @throws TrainerError `invalid` for what is no UTF-8 */
function textOf(bytes: Uint8Array, file: string): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new TrainerError("invalid", `${file}: not UTF-8; save the table in that encoding`, { cause });
  }
}

/** A task needs a question; the one about the first cell stands in. */
async function* tables(files: readonly string[]): AsyncGenerator<VisualTask> {
  const rasterize = await loadRasterizer();
  for (const file of files) {
    await checkRegularFile(file, MOST_BYTES).catch((cause: Error) => {
      throw new TrainerError("invalid", `${file} cannot be read: ${cause.message}`, { cause });
    });
    const [header = [], ...rows] = parseDelimited(textOf(await readFile(file), file), "rfc4180");
    const [first] = rows;
    if (header.length === 0 || !first)
      throw new TrainerError("invalid", `${file}: a table has a header line and at least one row, parted by commas`);
    const picture = renderFitting(
      { columns: header, rows },
      { ...defaultTableOptions, style: tableStyles[0] },
      rasterize,
    );
    yield {
      id: basename(file),
      source: "table",
      split: "",
      content: {
        image: await identifyImage(picture.image),
        question: `What stands first in ${header[0]?.trim() ? `the column ${header[0]}` : "the first column"}?`,
        answers: [first[0] || "-"],
        columns: picture.columns,
        rows: picture.rows,
      },
    };
  }
}
