// iapo ablate
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { comparableRecipes } from "@iapo/iapo/recipes";
import { nearest } from "@iapo/run-config";
import { InvalidArgumentError, Option } from "commander";
import type { AblateFlags } from "../ablate/ablate.ts";
import { type AddCommand, collect, positiveNumber, wholeNumber } from "./command.ts";

const help = `
Each run is one of iapo train, in a process of its own: one that fails does not stop the rest. Its model is measured before and after on
held-out tables. When --hours are over, the run at work writes its checkpoint; the same command goes on there, and makes nothing twice.

Examples:
  $ iapo ablate --hours 4                                     16 configurations, 3 seeds
  $ iapo ablate --only grpo,iapo-occlusion --seeds 1 --steps 20 --out runs/two
  $ iapo ablate --minutes 5                                   each run also goes on until it was trained for 5 minutes
  $ iapo ablate --dry-run                                     the runs, and what some of them lack`;

interface Given extends Omit<AblateFlags, "models"> {
  readonly model: AblateFlags["models"];
}

export const addAblate: AddCommand = (program, run) => {
  program
    .command("ablate")
    .description("the paper's experiments at nano scale: a resumable queue of runs, their tables and figures")
    .option("--hours <number>", "stop after so long", positiveNumber)
    .option(
      "--only <names>",
      "configurations, separated by commas, also nano-iapo-anchored, nano-opd, nano-anchored-...; default the sixteen",
      configurations,
    )
    .option("--seeds <numbers>", "separated by commas", seedList, [1, 2, 3])
    .option("--steps <count>", "of every run; default the configuration's", wholeNumber)
    .option(
      "--minutes <number>",
      "train each run on until so many have passed, to compare at equal time",
      positiveNumber,
    )
    .option("--tests <count>", "held-out charts that models are measured on", wholeNumber, 400)
    .addOption(
      new Option("--split <split>", "tables of these charts; test is for the end")
        .choices(["validation", "test"])
        .default("test"),
    )
    .option(
      "--model <name=directory>",
      "a model in place of the one that configurations call so; may be repeated",
      assign,
      new Map(),
    )
    .option("--set <key=value>", "replace a setting of every run; may be repeated", collect, [])
    .option("--out <directory>", "where runs and results are written", "runs/ablate")
    .option("--dry-run", "list the runs")
    .addHelpText("after", help)
    .action(({ model: models, ...given }: Given) =>
      run(async (io) => {
        const { ablate } = await import("../ablate/ablate.ts");
        return ablate(
          { ...given, hours: given.hours, only: given.only, steps: given.steps, minutes: given.minutes, models },
          io,
        );
      }),
    );
};

/** With or without the `nano-` that all begin with. */
function configurations(text: string): readonly string[] {
  const names = comparableRecipes.map(({ name }) => name);
  const short = names.map((known) => known.replace(/^nano-/, ""));
  return list(text).map((given) => {
    const name = names.find((known) => known === given || known === `nano-${given}`);
    if (name !== undefined) return name;
    const near = nearest(given, [...names, ...short]);
    const hint = near === undefined ? "" : ` (did you mean ${near}?)`;
    throw new InvalidArgumentError(`There is no configuration ${given}${hint}; there are: ${short.join(", ")}.`);
  });
}

function list(text: string): readonly string[] {
  return text.split(",").map((name) => name.trim());
}

function seedList(text: string): readonly number[] {
  return [...new Set(list(text).map((seed) => wholeNumber(seed)))];
}

function assign(text: string, before: ReadonlyMap<string, string>): ReadonlyMap<string, string> {
  const [, name, path] = /^([\w-]+)=(.+)$/.exec(text) ?? [];
  if (name === undefined || path === undefined) throw new InvalidArgumentError("It must be NAME=DIRECTORY.");
  const directory = resolve(path);
  if (!existsSync(directory)) throw new InvalidArgumentError(`${directory}: there is no such directory.`);
  return new Map([...before, [name, directory]]);
}
