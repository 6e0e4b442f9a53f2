// iapo attribute --cache: a teacher's own calls, before the run that will ask for them.
import { cacheTeacherCalls, openJob } from "@iapo/jobs";
import { openAdapter } from "../adapter.ts";
import { ExitCode } from "../exit-code.ts";
import type { CliIo } from "../io.ts";

export async function cacheCalls(
  source: string,
  limit: number,
  trust: true | undefined,
  { out, note, signal }: CliIo,
): Promise<number> {
  const onProgress = (done: number, of: number): void => note(`${done} of ${of} tasks`);
  const job = openJob(source, { kind: "train", trust });
  using device = await openAdapter();
  const made = await cacheTeacherCalls(job, { limit, device, signal, onProgress, onWarning: note });
  out(`${made.tasks} tasks, ${made.withCall} with a call: ${made.directory}`);
  return ExitCode.done;
}
