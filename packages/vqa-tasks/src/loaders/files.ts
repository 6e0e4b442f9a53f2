// Where data files come from: a local file or folder, or a data set repository on a hub. Either way a file is a Blob, read in parts.
import { openAsBlob } from "node:fs";
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { VqaTasksError } from "../error.ts";
import { filesBelow } from "./below.ts";

export interface DataFile {
  /** As shown in reports; its ending, in any case, tells the container (.json, .jsonl, .parquet, .tsv, each also .gz). */
  readonly name: string;
  open(): Promise<Blob>;
}

const READABLE = /\.(?:jsonl?|parquet|tsv)(?:\.gz)?$/i;

/** A file, or all readable files below a folder in order of their names. @throws VqaTasksError `missing_file` */
export async function localFiles(path: string): Promise<DataFile[]> {
  const found = await stat(path).catch(() => undefined);
  if (found === undefined) throw new VqaTasksError("missing_file", `${path}: no such file or folder`);
  if (!found.isDirectory()) {
    if (!READABLE.test(path)) throw unreadable(path);
    if (!found.isFile()) throw new VqaTasksError("missing_file", `${path}: not a regular file, but a pipe or a device`);
    return [{ name: path, open: () => openAsBlob(path) }];
  }
  return pickReadable(path, await filesBelow(path)).map((name) => ({
    name,
    open: () => openAsBlob(join(path, name)),
  }));
}

export interface HubOptions {
  /** Branch, tag or commit; a commit makes a run repeatable. */
  readonly revision?: string | undefined;
  readonly accessToken?: string | undefined;
  readonly hubUrl?: string | undefined;
  /** Only files whose path starts with this. */
  readonly prefix?: string | undefined;
}

/** All readable files of a data set repository such as `owner/name`. @throws VqaTasksError `missing_file` */
export async function hubFiles(repository: string, options: HubOptions = {}): Promise<DataFile[]> {
  const { revision, accessToken, hubUrl, prefix = "" } = options;
  const { downloadFile, listFiles } = await import("@huggingface/hub");
  const repo = { type: "dataset" as const, name: repository };
  const access = {
    ...(revision === undefined ? {} : { revision }),
    ...(accessToken === undefined ? {} : { accessToken }),
    ...(hubUrl === undefined ? {} : { hubUrl }),
  };
  const names: string[] = [];
  for await (const entry of listFiles({ repo, recursive: true, ...access })) {
    if (entry.type === "file" && entry.path.startsWith(prefix)) names.push(entry.path);
  }
  return pickReadable(`data set ${repository}`, names).map((name) => ({
    name: `${repository}/${name}`,
    open: async () => {
      const blob = await downloadFile({ repo, path: name, ...access });
      if (blob === null) throw new VqaTasksError("missing_file", `data set ${repository} has no file ${name}`);
      return blob;
    },
  }));
}

function unreadable(path: string): VqaTasksError {
  const advice = /\.csv(?:\.gz)?$/i.test(path)
    ? "a .csv file is a table and holds no tasks; write tasks as JSON Lines, and draw a table with iapo data render"
    : "rows are read from .json, .jsonl, .parquet and .tsv files, each also .gz";
  return new VqaTasksError("missing_file", `${path}: ${advice}`);
}

function pickReadable(place: string, names: readonly string[]): string[] {
  const readable = names.filter((name) => READABLE.test(name)).sort();
  if (readable.length > 0) return readable;
  throw new VqaTasksError(
    "missing_file",
    `${place}: no .json, .jsonl, .parquet or .tsv file among ${names.length} files`,
  );
}
