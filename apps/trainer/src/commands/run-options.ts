// The options that commands which make a run have in common.
import type { Command } from "commander";

export interface RunFlags {
  readonly set: readonly string[];
  readonly out?: string;
  readonly resume?: true;
  readonly dryRun?: true;
  readonly json?: true;
}

export function addRunOptions(command: Command): Command {
  return command
    .argument("<config>", "a configuration file, a shipped recipe's name, or the directory of a run to resume")
    .option("--set <key=value>", "replace a setting, such as grpo.steps=20; may be repeated", collect, [])
    .option("--out <directory>", "the run's directory; default the configuration's output, or runs/ and its name")
    .option("--resume", "go on with the run in that directory, if there is one")
    .option("--dry-run", "check everything that can be checked without an adapter, and say what would run")
    .option("--json", "progress and result as JSON on standard output, one object a line");
}

export function collect(value: string, before: readonly string[]): string[] {
  return [...before, value];
}
