// Files and directories that are there whole or not at all, also after a power cut.
import { open, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";

/** Writes beside, syncs, renames. */
export async function writeDurably(file: string, content: string): Promise<void> {
  const beside = `${file}.partial`;
  try {
    const handle = await open(beside, "w");
    try {
      await handle.writeFile(content);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(beside, file);
    await syncDirectory(dirname(file));
  } catch (error) {
    await rm(beside, { force: true });
    throw error;
  }
}

/** Makes what happened in a directory durable, where the platform can open one. */
export async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, "r").catch(() => undefined);
  await handle?.sync().catch(() => undefined);
  await handle?.close();
}
