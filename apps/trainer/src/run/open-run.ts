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
  /** Writes `config.yaml` into a new one. Called when nothing stands against the start: one that fails leaves nothing. */
  begin(): Promise<void>;
}

/** Without either of them, `runs/` and the configuration's name. */
export function runDirectory({ name, config }: LoadedConfig, out: string | undefined): string {
  return resolve(out ?? config.output ?? join("runs", name));
}

/**
 * Takes the directory for this process.
 * @throws TrainerError `busy`, `exists`
 */
export async function openRun(loaded: LoadedConfig, { out, resume = false }: RunOptions): Promise<OpenRun> {
  const directory = runDirectory(loaded, out);
  const lock = await lockDirectory(directory);
  try {
    const holdsRun = await checkDirectory(directory, resume);
    return {
      directory,
      async begin() {
        if (!holdsRun) await writeFileAtomic(join(directory, "config.yaml"), stringify(loaded.resolved));
      },
      [Symbol.asyncDispose]: () => lock.release(),
    };
  } catch (error) {
    await lock.release();
    throw error;
  }
}

/** Whether it holds a run, which then is one to resume. */
async function checkDirectory(directory: string, resume: boolean): Promise<boolean> {
  const names = await readdir(directory);
  if (names.includes("run.json")) {
    if (resume) return true;
    throw new TrainerError(
      "exists",
      `${directory} holds a run already; go on with it by --resume, or choose another --out`,
    );
  }
  // A start that was killed may have left its configuration, whole or not.
  const [other] = names.filter((name) => !/^(config\.yaml|writer-)/.test(name));
  if (other !== undefined && !names.includes("config.yaml")) {
    throw new TrainerError("exists", `${directory} is not empty and holds no run (${other}); choose another --out`);
  }
  return false;
}
