// Where a run lies, and whether its place is free for it.
import { readdir, readFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { stringify } from "yaml";
import type { LoadedConfig } from "../config/load.ts";
import { JobsError } from "../error.ts";

export interface RunOptions {
  /** In place of the configuration's `output`. */
  readonly out?: string | undefined;
  readonly resume?: boolean | undefined;
}

/** Without either of them, `runs/` and the configuration's name. */
export function runDirectory({ name, config }: LoadedConfig, out: string | undefined): string {
  return resolve(out ?? config.output ?? join("runs", name));
}

/** What `config.yaml` of the run holds. */
export function configText({ resolved }: LoadedConfig): string {
  return stringify(resolved);
}

/**
 * Whether a directory holds a run, which then is to be resumed. It is ours where `run.json` says so; before that is written, only what a start of
 * the same configuration may have left when it was killed.
 * @throws JobsError `exists`
 */
export async function holdsRun(directory: string, loaded: LoadedConfig, resume: boolean): Promise<boolean> {
  const names = await readdir(directory);
  if (names.includes("run.json")) {
    if (resume) return true;
    throw new JobsError(
      "exists",
      `${directory} holds a run already; go on with it by --resume, or choose another --out`,
    );
  }
  const isOurs = names.includes("config.yaml") && (await holds(join(directory, "config.yaml"), configText(loaded)));
  const ours = isOurs
    ? /^(writer-.*|config\.yaml.*|run\.json\..*\.partial|starts\.jsonl)$/
    : /^(writer-.*|config\.yaml\..*\.partial)$/;
  const other = names.find((name) => !ours.test(name));
  if (other === undefined) return false;
  throw new JobsError("exists", `${directory} is not empty and holds no run (${other}); choose another --out`);
}

async function holds(file: string, text: string): Promise<boolean> {
  return (await readFile(file, "utf8").catch(() => undefined)) === text;
}
