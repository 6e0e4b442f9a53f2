// Whether the place of a run is free for it.
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { stringify } from "yaml";
import { JobsError } from "../error.ts";
import type { Job } from "../open-job.ts";

/** What `config.yaml` of the run holds. */
export function configText({ resolved }: Pick<Job, "resolved">): string {
  return stringify(resolved);
}

/**
 * Whether a directory holds a run, which then is to be resumed. It is ours where `run.json` says so; before that is written, only what a start of
 * the same configuration may have left when it was killed.
 * @throws JobsError `exists`, `run_exists`
 */
export async function holdsRun(job: Job, resume: boolean): Promise<boolean> {
  const { directory } = job;
  const names = await readdir(directory);
  if (names.includes("run.json")) {
    if (resume) return true;
    throw new JobsError("run_exists", `${directory} holds a run already; resume it, or choose another directory`);
  }
  const isOurs = names.includes("config.yaml") && (await holds(join(directory, "config.yaml"), configText(job)));
  const ours = isOurs
    ? /^(writer-.*|config\.yaml.*|run\.json\..*\.partial|starts\.jsonl)$/
    : /^(writer-.*|config\.yaml\..*\.partial)$/;
  const other = names.find((name) => !ours.test(name));
  if (other === undefined) return false;
  throw new JobsError("exists", `${directory} is not empty and holds no run (${other}); choose another directory`);
}

async function holds(file: string, text: string): Promise<boolean> {
  return (await readFile(file, "utf8").catch(() => undefined)) === text;
}
