// Only files are read and replaced: who opens a pipe waits for its other end, and a device may never end.
import { stat } from "node:fs/promises";

/** @throws Error for a path that leads to no regular file, or to one of more bytes than `most`; that of the system where nothing is there */
export async function checkRegularFile(path: string, most: number = Number.POSITIVE_INFINITY): Promise<void> {
  const found = await stat(path);
  if (!found.isFile()) throw new Error("it is not a regular file");
  if (found.size > most) throw new Error(`it has ${found.size} bytes, more than ${most}`);
}
