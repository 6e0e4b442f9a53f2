// iapo attribute
import { Option } from "commander";
import { type AttributeOptions, attribute } from "../attribute/attribute.ts";
import { cacheCalls } from "../attribute/cache-calls.ts";
import { TrainerError } from "../error.ts";
import { type AddCommand, placeNumber, wholeNumber } from "./command.ts";
import { formatName } from "./data.ts";

type Given = Omit<AttributeOptions, "model" | "index"> & {
  readonly nano?: number;
  readonly index: number;
  readonly cache?: number;
  readonly trust?: true;
};

export const addAttribute: AddCommand = (program, run) => {
  program
    .command("attribute")
    .description("show what a call on one chart or table rests on: prompt blocks, tokens, places of the picture")
    .argument("<model>", "a model's directory, or the name of a shipped one; with --cache a configuration")
    .option("--teacher <model>", "also in its eyes, and how far the two are apart")
    .option("--nano <number>", "nano-chart of this number, from 0 (the default)", placeNumber)
    .option("--task <file>", "a task of this data file in place of a nano-chart")
    .option("--format <name>", "of --task; default tasks", formatName)
    .option("--index <number>", "which task of the file, from 0", placeNumber, 0)
    .addOption(new Option("--split <split>", "of nano").choices(["train", "validation", "test"]).default("validation"))
    .option("--seed <number>", "every random number follows from it", wholeNumber, 1)
    .option("--text <text>", "what the model is taken to have written; default: it writes itself, at T = 1")
    .option("--max-tokens <count>", "of what it writes", wholeNumber, 128)
    .addOption(
      new Option("--method <name>", "grad_x_input, ig and grad_norm also score tokens")
        .choices(["grad_x_input", "ig", "grad_norm", "occlusion"])
        .default("grad_x_input"),
    )
    .addOption(new Option("--prompt <kind>", "default: compact for nano, full else").choices(["full", "compact"]))
    .option("--out <directory>", "JSON and pictures", "runs/attribute")
    .option("--json", "print JSON")
    .option(
      "--cache <count>",
      "of a configuration: write and score the teacher's calls to its first tasks",
      wholeNumber,
    )
    .option("--trust", "with --cache, of a run's directory: load the modules that it names")
    .addHelpText(
      "after",
      "\nExample:\n  $ iapo attribute nano-student --teacher nano-teacher --nano 3 --method occlusion",
    )
    .action((model: string, { nano, index, cache, trust, ...given }: Given) =>
      run(async (io) => {
        if (cache !== undefined) return cacheCalls(model, cache, trust, io);
        if (nano !== undefined && given.task !== undefined) throw new TrainerError("argument", "give --nano or --task");
        if (given.format !== undefined && given.task === undefined)
          throw new TrainerError("argument", "--format is that of --task");
        return attribute({ model, ...given, index: nano ?? index }, io);
      }),
    );
};
