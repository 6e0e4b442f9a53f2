// Published data sets and own rows to tasks, streaming.
export { parseDelimited, type TableDialect } from "./csv.ts";
export { type DataFile, type HubOptions, hubFiles, localFiles } from "./files.ts";
export { type DataFormat, dataFormats } from "./formats.ts";
export {
  type BadRow,
  type LoadOptions,
  type LoadReport,
  type LoadStream,
  loadRecords,
  loadTasks,
  MOST_BAD_ROWS,
} from "./load.ts";
export { type PictureFolders, withPicture } from "./pictures.ts";
export type { PictureSource, TaskRecord } from "./record.ts";
