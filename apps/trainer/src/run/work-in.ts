// The frame of every command that works in a directory of its own: one process at a time, and an interrupt ends it in order.
import { type DirectoryLock, lockDirectory } from "@iapo/grpo/run-directory";
import { isInterrupt } from "@iapo/jobs";
import { ExitCode } from "../exit-code.ts";
import type { CliIo } from "../io.ts";

/**
 * Holds the directory while `work` runs.
 * @param again how an interrupted command goes on, for the user
 * @returns the exit code of `work`, or that of an interrupt
 * @throws GrpoError `busy` with who works there; what `work` throws
 */
export async function workIn(
  directory: string,
  { note, signal }: Pick<CliIo, "note" | "signal">,
  work: (lock: DirectoryLock) => Promise<number>,
  again: string = `the same command goes on where it stopped: ${directory}`,
): Promise<number> {
  const lock = await lockDirectory(directory);
  try {
    return await work(lock);
  } catch (error) {
    if (!isInterrupt(error, signal)) throw error;
    note(`interrupted; ${again}`);
    return ExitCode.interrupted;
  } finally {
    await lock.release();
  }
}
