// The options that commands which make a run have in common.
import type { Command } from "commander";
import { wholeNumber } from "./command.ts";

export interface RunFlags {
  readonly set: readonly string[];
  readonly steps?: number;
  readonly out?: string;
  readonly resume?: true;
  readonly dryRun?: true;
  readonly json?: true;
  readonly trust?: true;
}

export function addRunOptions(command: Command): Command {
  return command
    .argument("<config>", "a configuration file, a shipped recipe's name, or the directory of a run to resume")
    .option("--set <key=value>", "replace a setting, such as grpo.steps=20; may be repeated", collect, [])
    .option("--steps <count>", "replace the number of steps", wholeNumber)
    .option("--out <directory>", "the run's directory; default the configuration's output, or runs/ and its name")
    .option("--resume", "go on with the run in that directory, if there is one")
    .option("--dry-run", "check everything that can be checked without an adapter, and say what would run")
    .option("--trust", "of a run's directory: load the modules of tools and functions that it names")
    .option("--json", "progress and result as JSON on standard output, one object a line");
}

/** Of `--set`, and of options that stand for a setting of the command's section. */
export function settingsOf({ set, steps }: RunFlags, section: "grpo" | "supervised"): string[] {
  return [...set, ...(steps === undefined ? [] : [`${section}.steps=${steps}`])];
}

export function collect(value: string, before: readonly string[]): string[] {
  return [...before, value];
}
