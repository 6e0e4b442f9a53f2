// iapo data inspect: what a data file holds, which of its rows are bad and why, and a sheet of pictures with their boxes.
import { basename, dirname } from "node:path";
import { removeAbandoned, writeFileAtomic } from "@iapo/rollout-trace/files";
import { type BeforeAfter, contactSheet } from "@iapo/visual-tools";
import { encodePng } from "@iapo/visual-tools/sharp";
import type { VisualTask } from "@iapo/vqa-tasks";
import {
  type DataPlace,
  type DataReport,
  emptyReport,
  filesOf,
  readTasks,
  thumbnail,
  withBoxes,
} from "@iapo/vqa-tasks/sources";
import { ExitCode } from "../exit-code.ts";
import type { CliIo } from "../io.ts";

export interface InspectOptions extends DataPlace {
  readonly path: string;
  /** Tasks read at most. */
  readonly limit?: number | undefined;
  /** A PNG of the first tasks, as they are and with boxes. */
  readonly sheet?: string | undefined;
  readonly json?: true | undefined;
}

const SHEET_PICTURES = 12;
/** Pixels of a picture on the sheet, on its longer side. */
const SHEET_SIDE = 800;
const SHOWN_BAD_ROWS = 10;

/** Exit code 1 where no task could be read. */
export async function inspect(options: InspectOptions, { out, note, signal }: CliIo): Promise<number> {
  const report = emptyReport();
  const census = new Census();
  const pictures: BeforeAfter[] = [];
  const files = await filesOf({ path: options.path });
  for await (const task of readTasks(files, options, report)) {
    signal.throwIfAborted();
    census.add(task);
    if (options.sheet && pictures.length < SHEET_PICTURES)
      pictures.push({
        before: thumbnail(task.content.image, SHEET_SIDE),
        after: thumbnail(withBoxes(task.content), SHEET_SIDE),
      });
    if (census.tasks === options.limit) break;
  }
  if (options.sheet && pictures.length > 0) {
    await removeAbandoned(dirname(options.sheet), basename(options.sheet));
    await writeFileAtomic(options.sheet, await encodePng(contactSheet(pictures, { columns: 2 })));
    note(`sheet of ${pictures.length} pictures with their boxes: ${options.sheet}`);
  }
  const found = { files: files.map(({ file }) => file.name), ...report, ...census.result() };
  out(options.json ? JSON.stringify(found, null, 2) : describe(options.path, report, census));
  return census.tasks > 0 ? ExitCode.done : ExitCode.failed;
}

/** Counts over tasks; no picture is kept. */
class Census {
  tasks = 0;
  readonly #images = new Set<string>();
  readonly #kinds = new Map<string, number>();
  readonly #widths: number[] = [];
  readonly #heights: number[] = [];
  #columns = 0;
  #rows = 0;
  #answers = 0;

  add({ source, split, content }: VisualTask): void {
    const { image, orientation, columns, rows, answers } = content;
    this.tasks++;
    this.#answers += answers.length;
    this.#columns += columns.length;
    this.#rows += rows.length;
    const boxes = orientation ?? (columns.length > 0 ? "columns and rows" : "no boxes");
    const kind = `${source}${split && `, ${split}`}: ${boxes}`;
    this.#kinds.set(kind, (this.#kinds.get(kind) ?? 0) + 1);
    if (this.#images.has(image.id)) return;
    this.#images.add(image.id);
    this.#widths.push(image.width);
    this.#heights.push(image.height);
  }

  result() {
    return {
      images: this.#images.size,
      answers: this.#answers,
      columns: this.#columns,
      rowBoxes: this.#rows,
      kinds: Object.fromEntries(this.#kinds),
      width: range(this.#widths),
      height: range(this.#heights),
    };
  }
}

interface Range {
  readonly least: number;
  readonly median: number;
  readonly most: number;
}

function range(values: readonly number[]): Range | null {
  const sorted = [...values].sort((a, b) => a - b);
  if (sorted.length === 0) return null;
  const [least = 0] = sorted;
  return { least, median: sorted[sorted.length >> 1] ?? least, most: sorted.at(-1) ?? least };
}

function describe(path: string, { rows, skipped, badRows }: DataReport, census: Census): string {
  const { images, answers, columns, rowBoxes, kinds, width, height } = census.result();
  const size = (name: string, found: Range | null): string =>
    found ? `${name} ${found.least} to ${found.most} px (median ${found.median})` : "";
  return [
    `${path}: ${rows} rows read, ${census.tasks} tasks on ${images} pictures, ${skipped} left out`,
    ...(images > 0 ? [`  ${size("width", width)}, ${size("height", height)}`] : []),
    `  ${answers} answers, ${columns} boxes of columns, ${rowBoxes} of rows`,
    ...Object.entries(kinds).map(([kind, count]) => `  ${String(count).padStart(6)}  ${kind}`),
    ...badRows.slice(0, SHOWN_BAD_ROWS).map(({ file, row, reason }) => `  ${file}, row ${row}: ${reason}`),
    ...(skipped > SHOWN_BAD_ROWS ? [`  and ${skipped - SHOWN_BAD_ROWS} more; --json lists 1000 of a file`] : []),
  ].join("\n");
}
