// iapo train, iapo sft
import { type Job, openJob } from "@iapo/jobs";
import { type Command, InvalidArgumentError } from "commander";
import { checkFleetFlags, type FleetFlags } from "../fleet/open-workers.ts";
import { openTracker, trackerNames } from "../log/trackers.ts";
import { dryRun } from "../run/dry-run.ts";
import { runWithProgress } from "../run/run-job.ts";
import { type AddCommand, collect, type Run, wholeNumber } from "./command.ts";
import { word } from "./worker.ts";

interface Given extends FleetFlags {
  readonly set: readonly string[];
  readonly steps?: number;
  readonly out?: string;
  readonly resume?: true;
  readonly dryRun?: true;
  readonly json?: true;
  readonly trust?: true;
  readonly log: readonly string[];
}

export const addTrain: AddCommand = (program, run) => {
  const command = program
    .command("train")
    .description("train a model by reinforcement learning on chart and table questions, with a tool between two turns");
  addRun(command, run, "train", "grpo");
};

export const addSft: AddCommand = (program, run) => {
  const command = program
    .command("sft")
    .description("teach a model by examples: captions, copied names and whole episodes of nano-charts");
  addRun(command, run, "sft", "supervised");
};

function addRun(command: Command, run: Run, kind: Job["kind"], section: "grpo" | "supervised"): void {
  command
    .argument("<config>", "a configuration file, a shipped recipe's name, or the directory of a run to resume")
    .option("--set <key=value>", "replace a setting, such as grpo.steps=20; may be repeated", collect, [])
    .option("--steps <count>", "replace the number of steps", wholeNumber)
    .option("--out <directory>", "the run's directory; default the configuration's output, or runs/ and its name")
    .option("--resume", "go on with the run in that directory, if there is one")
    .option("--dry-run", "check everything that can be checked without an adapter, and say what would run")
    .option("--trust", "of a run's directory: load the modules of tools and functions that it names")
    .option(
      "--fleet <workers>",
      "workers share the work, to the same bits: so many of this machine, or those at a server, such as nats://127.0.0.1:4222",
      workers,
    )
    .option("--run <name>", "of --fleet: the run's name on the server; default that of the configuration", word)
    .option("--min-workers <count>", "of --fleet: wait until so many are there", wholeNumber)
    .option(
      "--patience <seconds>",
      "of --fleet: a worker that is silent for so long is given up; default 30",
      wholeNumber,
    )
    .option("--verify <share>", "of --fleet: ask two workers for this share of the units, and compare", share)
    .option("--mixed", "of --fleet: also workers on other adapters, without the promise of equal bits")
    .option("--log <tracker>", `tell each step to ${trackerNames.join(", ")}; may be repeated`, collect, [])
    .option("--json", "progress and result as JSON on standard output, one object a line")
    .action((source: string, { set, steps, out, trust, log, ...flags }: Given) =>
      run(async (io) => {
        checkFleetFlags({ ...flags, trust });
        const settings = [...set, ...(steps === undefined ? [] : [`${section}.steps=${steps}`])];
        const trackers = log.map((name) => openTracker(name, process.env));
        const job = openJob(source, { kind, set: settings, directory: out, trust });
        return flags.dryRun ? dryRun(job, io) : runWithProgress(job, { ...flags, trust, trackers }, io);
      }),
    );
}

function workers(text: string): number | string {
  return /^\d+$/.test(text) ? wholeNumber(text) : text;
}

function share(text: string): number {
  const value = Number(text);
  if (!(value >= 0 && value <= 1)) throw new InvalidArgumentError("It must be a number from 0 to 1.");
  return value;
}
