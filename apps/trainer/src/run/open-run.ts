// A run's directory as a command takes it: one writer, one run, its configuration beside it.
import { readdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import { writeFileAtomic } from "@iapo/rollout-trace/files";
import { stringify } from "yaml";
import type { LoadedConfig } from "../config/load.ts";
import { TrainerError } from "../error.ts";
import { lockDirectory } from "./lock.ts";

export interface RunOptions {
  /** In place of the configuration's `output`. */
  readonly out?: string | undefined;
  readonly resume?: boolean | undefined;
}

export interface OpenRun extends AsyncDisposable {
  readonly directory: string;
}

/** Without either of them, `runs/` and the configuration's name. */
export function runDirectory({ name, config }: LoadedConfig, out: string | undefined): string {
  return resolve(out ?? config.output ?? join("runs", name));
}

/**
 * Takes the directory for this process, and writes `config.yaml` into a new one.
 * @throws TrainerError `busy`, `exists`
 */
export async function openRun(loaded: LoadedConfig, { out, resume = false }: RunOptions): Promise<OpenRun> {
  const directory = runDirectory(loaded, out);
  const lock = await lockDirectory(directory);
  try {
    const names = await readdir(directory);
    const holdsRun = names.includes("run.json");
    if (holdsRun && !resume) {
      throw new TrainerError(
        "exists",
        `${directory} holds a run already; go on with it by --resume, or choose another --out`,
      );
    }
    const others = names.filter((name) => name !== "config.yaml" && !name.startsWith("writer-"));
    if (!holdsRun && !names.includes("config.yaml") && others.length > 0) {
      throw new TrainerError(
        "exists",
        `${directory} is not empty and holds no run (${others[0]}); choose another --out`,
      );
    }
    if (!holdsRun) await writeFileAtomic(join(directory, "config.yaml"), stringify(loaded.resolved));
  } catch (error) {
    await lock.release();
    throw error;
  }
  return { directory, [Symbol.asyncDispose]: () => lock.release() };
}
