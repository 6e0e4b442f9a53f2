// iapo data convert: a data set in a form that the loaders read, with its pictures as files.

import { type DataPlace, emptyReport, filesOf, readTasks, type WrittenForm, writeData } from "@iapo/vqa-tasks/sources";
import { ExitCode } from "../exit-code.ts";
import type { CliIo } from "../io.ts";

export interface ConvertOptions extends DataPlace {
  readonly path: string;
  readonly to: WrittenForm;
  readonly out: string;
}

export async function convert({ path, to, out, ...place }: ConvertOptions, io: CliIo): Promise<number> {
  const report = emptyReport();
  const read = readTasks(await filesOf({ path }), place, report);
  const { tasks, pictures, file } = await writeData(read, to, out, { signal: io.signal });
  io.out(`${tasks} tasks and ${pictures} pictures: ${file}`);
  const [first] = report.badRows;
  if (first)
    io.note(
      `${report.skipped} of ${report.rows} rows were left out, the first: ${first.file}, row ${first.row}: ${first.reason}`,
    );
  return ExitCode.done;
}
