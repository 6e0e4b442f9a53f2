// Streams tasks out of data files: rows are parsed, pictures read or rendered, tasks checked; bad rows are counted or fatal.
import { z } from "zod";
import { VqaTasksError } from "../error.ts";
import { checkTask, type VisualTask } from "../task.ts";
import { shown } from "./below.ts";
import type { DataFile } from "./files.ts";
import { parseChartqaRow } from "./formats/chartqa.ts";
import { parseCharxivRow } from "./formats/charxiv.ts";
import { parseRefocusRow } from "./formats/refocus.ts";
import { parseTabFactRow, parseTableVqaBenchRow, parseWikiTableQuestionsRow } from "./formats/tables.ts";
import { parseTaskRow } from "./formats/tasks.ts";
import { parseVtoolV1Row, parseVtoolV2Row } from "./formats/vtool.ts";
import type { DataFormat } from "./formats.ts";
import { type PictureFolders, withPicture } from "./pictures.ts";
import type { RowParser, TaskRecord } from "./record.ts";
import { readRows } from "./rows.ts";

const parsers: Readonly<Record<DataFormat, RowParser>> = {
  tasks: parseTaskRow,
  refocus: parseRefocusRow,
  vtool_v1: parseVtoolV1Row,
  vtool_v2: parseVtoolV2Row,
  tablevqabench: parseTableVqaBenchRow,
  chartqa: parseChartqaRow,
  charxiv: parseCharxivRow,
  tabfact: parseTabFactRow,
  wikitablequestions: parseWikiTableQuestionsRow,
};

export interface LoadOptions {
  readonly format: DataFormat;
  readonly files: readonly DataFile[];
  /** `fail` throws at the first bad row; `skip` goes on and counts it. */
  readonly onBadRow: "fail" | "skip";
  /** Ends the stream with its reason. */
  readonly signal?: AbortSignal | undefined;
}

export type BadRow = { readonly file: string; readonly row: number; readonly reason: string };

/** Filled while the stream is read. */
export interface LoadReport {
  /** Rows seen. */
  rows: number;
  /** Tasks or records handed on. */
  loaded: number;
  /** Rows, or tasks of a row, left out. */
  skipped: number;
  /** The first {@link MOST_BAD_ROWS} of them. */
  readonly badRows: BadRow[];
}

export const MOST_BAD_ROWS = 1000;

export type LoadStream<T> = AsyncIterable<T> & { readonly report: LoadReport };

/**
 * Questions, answers and boxes without their pictures, for data sets whose images are not at hand. A record that `examine` throws for is a bad row.
 * @throws VqaTasksError `bad_row` with file and row, while reading
 */
export function loadRecords(
  options: LoadOptions & { readonly examine?: (record: TaskRecord) => Promise<TaskRecord> },
): LoadStream<TaskRecord> {
  return stream(options, options.examine ?? (async (record) => record));
}

/** Whole, checked tasks. @throws VqaTasksError `bad_row` with file and row, while reading */
export function loadTasks(options: LoadOptions & PictureFolders): LoadStream<VisualTask> {
  return stream(options, async (record) => checkTask(await withPicture(record, options)));
}

function stream<T>(
  { format, files, onBadRow, signal }: LoadOptions,
  finish: (record: TaskRecord) => Promise<T>,
): LoadStream<T> {
  const report: LoadReport = { rows: 0, loaded: 0, skipped: 0, badRows: [] };
  const skip = (file: string, row: number, error: unknown): void => {
    const reason = reasonOf(error);
    if (onBadRow === "fail") throw new VqaTasksError("bad_row", `${file}, row ${row}: ${reason}`, { cause: error });
    report.skipped += 1;
    if (report.badRows.length < MOST_BAD_ROWS) report.badRows.push({ file, row, reason });
  };
  const places = new Map<string, string>();
  /** Only this product's own form numbers questions; others number pictures, or the questions of one file. */
  const repeated = ({ id }: TaskRecord, place: string): string | undefined => {
    if (format !== "tasks") return undefined;
    const before = places.get(id);
    if (before === undefined) places.set(id, place);
    return before === undefined ? undefined : `the id ${JSON.stringify(shown(id))} was given in ${before}`;
  };
  async function* read(): AsyncGenerator<T> {
    for (const file of files) {
      for await (const found of readRows(file)) {
        report.rows += 1;
        const records = parseRow(format, file.name, found, skip);
        for (const record of records) {
          signal?.throwIfAborted();
          const task = await attempt(async () => {
            const finished = await finish(record);
            const fault = repeated(record, `${file.name}, row ${found.row}`);
            if (fault !== undefined) throw new VqaTasksError("bad_row", fault);
            return finished;
          });
          if ("fault" in task) skip(file.name, found.row, task.fault);
          else {
            report.loaded += 1;
            yield task.value;
          }
        }
      }
    }
  }
  return { report, [Symbol.asyncIterator]: read };
}

function parseRow(
  format: DataFormat,
  file: string,
  found: Awaited<ReturnType<ReturnType<typeof readRows>["next"]>>["value"],
  skip: (file: string, row: number, error: unknown) => void,
): TaskRecord[] {
  if ("fault" in found) {
    skip(file, found.row, found.fault);
    return [];
  }
  try {
    return parsers[format](found.value, { file, row: found.row });
  } catch (error) {
    skip(file, found.row, error);
    return [];
  }
}

/** Keeps a consumer's own error, thrown into the generator, apart from a bad row's. */
async function attempt<T>(job: () => Promise<T>): Promise<{ value: T } | { fault: unknown }> {
  try {
    return { value: await job() };
  } catch (fault) {
    return { fault };
  }
}

function reasonOf(error: unknown): string {
  if (error instanceof z.ZodError)
    return error.issues
      .slice(0, MOST_ISSUES)
      .map((issue) => `${pathOf(issue.path)}: ${issue.message}`)
      .join("; ");
  return error instanceof Error ? error.message : String(error);
}

const MOST_ISSUES = 8;

/** `columns_bbox[3].x1` */
function pathOf(path: readonly PropertyKey[]): string {
  const text = path.map((part) => (typeof part === "number" ? `[${part}]` : `.${shown(String(part))}`)).join("");
  return text.replace(/^\./, "") || "row";
}
