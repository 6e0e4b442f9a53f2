// Files below a folder, by a path that a data set writes. Paths and links are hostile: none may leave the folder.
import { open, readdir, realpath, stat } from "node:fs/promises";
import { join, relative, sep } from "node:path";
import { VqaTasksError } from "../error.ts";

const MOST_PARTS = 16;
const LONGEST_PATH = 4096;

/** A foreign text as messages show it: short, and never the bytes of a picture. */
export function shown(text: string): string {
  return text.length <= 120 ? text : `${text.slice(0, 60)}... (${text.length} characters)`;
}

/**
 * The file below `folder` that a data set calls `path`: as it stands, or without some of its leading folders.
 * @throws VqaTasksError `missing_image` where there is none, or it lies elsewhere
 */
export async function findBelow(folder: string | undefined, path: string, advice: string): Promise<string> {
  const parts = path
    .slice(0, LONGEST_PATH + 1)
    .split(/[/\\]/)
    .filter((part) => part !== "" && part !== ".");
  if (path.length > LONGEST_PATH || parts.length > MOST_PARTS)
    throw missing(`${shown(path)}: a path has at most ${MOST_PARTS} parts and ${LONGEST_PATH} characters`);
  if (parts.some((part) => part === ".." || part.includes("\0")) || /^[a-zA-Z]:/.test(path))
    throw missing(`${JSON.stringify(shown(path))} could lead out of its folder and is not opened`);
  if (folder === undefined) throw missing(`${shown(path)}: not in the data file; ${advice}`);
  for (let skip = 0; skip < parts.length; skip += 1) {
    const candidate = join(folder, ...parts.slice(skip));
    if (!(await stat(candidate).catch(() => undefined))?.isFile()) continue;
    if (!(await liesBelow(folder, candidate)))
      throw missing(
        `${shown(path)}: a link that leads out of ${folder}, which is not followed; put the file itself there`,
      );
    await refusePointer(candidate, path);
    return candidate;
  }
  throw missing(`${shown(path)}: not found below ${folder}; ${advice}`);
}

const missing = (message: string): VqaTasksError => new VqaTasksError("missing_image", message);

/** Links of a hub's cache lead from `snapshots` to `blobs` beside it; others stay below the folder. */
async function liesBelow(folder: string, file: string): Promise<boolean> {
  const [root, target] = await Promise.all([realpath(folder), realpath(file)]);
  return [root, ...blobsOf(root)].some((place) => !relative(place, target).startsWith("..") && target !== place);
}

function blobsOf(folder: string): string[] {
  const parts = folder.split(sep);
  const at = parts.lastIndexOf("snapshots");
  return at > 0 ? [[...parts.slice(0, at), "blobs"].join(sep)] : [];
}

const POINTER = "version https://git-lfs.github.com/spec/";

/** @throws VqaTasksError `missing_file` for what Git LFS leaves in place of a file that was not fetched */
async function refusePointer(file: string, name: string): Promise<void> {
  const handle = await open(file);
  try {
    const { buffer, bytesRead } = await handle.read({ buffer: Buffer.alloc(POINTER.length), length: POINTER.length });
    if (buffer.subarray(0, bytesRead).toString("latin1") === POINTER) throw pointer(name);
  } finally {
    await handle.close();
  }
}

export const isPointer = (start: string): boolean => start.startsWith(POINTER);

export const pointer = (name: string): VqaTasksError =>
  new VqaTasksError(
    "missing_file",
    `${shown(name)}: a pointer of Git LFS, not the file; run git lfs pull in its folder`,
  );

/** Paths of the regular files below a folder, links that stay there included, with `/` between folders. */
export async function filesBelow(folder: string): Promise<string[]> {
  const names: string[] = [];
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    if (entry.isFile() || (entry.isSymbolicLink() && (await isFileBelow(folder, path))))
      names.push(relative(folder, path).split(sep).join("/"));
  }
  return names;
}

async function isFileBelow(folder: string, path: string): Promise<boolean> {
  const isFile = (await stat(path).catch(() => undefined))?.isFile() ?? false;
  return isFile && liesBelow(folder, path);
}
