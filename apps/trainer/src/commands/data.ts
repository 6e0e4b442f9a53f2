// iapo data inspect | convert | render
import { nearest } from "@iapo/run-config";
import { type DataFormat, dataFormats } from "@iapo/vqa-tasks/loaders";
import { writtenForms } from "@iapo/vqa-tasks/sources";
import { type Command, InvalidArgumentError, Option } from "commander";
import { convert } from "../data/convert.ts";
import { inspect } from "../data/inspect.ts";
import { render } from "../data/render.ts";
import { type AddCommand, type Run, wholeNumber } from "./command.ts";

export const addData: AddCommand = (program, run) => {
  const data = program.command("data").description("look into data sets, convert them, draw charts and tables");
  addInspect(data, run);
  addConvert(data, run);
  addRender(data, run);
};

function addInspect(data: Command, run: Run): void {
  places(data.command("inspect"))
    .description("count tasks, name bad rows with their reasons; exit code 1 where there is no task")
    .option("--limit <count>", "tasks read at most", wholeNumber)
    .option("--sheet <file>", "a PNG of the first twelve pictures, beside them with their boxes")
    .option("--json", "print JSON")
    .addHelpText("after", "\nExample:\n  $ iapo data inspect refocus/test.jsonl --format refocus --sheet sheet.png")
    .action((path: string, options: Omit<Parameters<typeof inspect>[0], "path">) =>
      run((io) => inspect({ path, ...options }, io)),
    );
}

function addConvert(data: Command, run: Run): void {
  places(data.command("convert"))
    .description("write a data set as rows and pictures in a folder that appears when it is whole")
    .addOption(
      new Option("--to <form>", "tasks (this product's own) or refocus").choices(writtenForms).default("tasks"),
    )
    .requiredOption("--out <directory>", "a new one")
    .action((path: string, options: Omit<Parameters<typeof convert>[0], "path">) =>
      run((io) => convert({ path, ...options }, io)),
    );
}

function addRender(data: Command, run: Run): void {
  data
    .command("render")
    .description("draw nano-charts, or tables from CSV files, and the same with their boxes")
    .argument("<what...>", "nano, or CSV files")
    .requiredOption("--out <directory>", "a new one")
    .option("--count <charts>", "of nano", wholeNumber, 12)
    .option("--seed <number>", "of nano", wholeNumber, 1)
    .addOption(new Option("--split <split>", "of nano").choices(["train", "validation", "test"]).default("validation"))
    .action((what: string[], options: Omit<Parameters<typeof render>[0], "what">) =>
      run((io) => render({ what, ...options }, io)),
    );
}

function places(command: Command): Command {
  return command
    .argument("<path>", "a data file, or a folder of them")
    .option("--format <name>", dataFormats.join(", "), formatName, "tasks" as const)
    .option("--images <directory>", "where pictures are looked for; default: beside the file")
    .option("--tables <directory>", "where source tables are looked for; default: beside the file");
}

/** Reads the name of a data format. */
export function formatName(name: string): DataFormat {
  const known = dataFormats.find((one) => one === name);
  if (known) return known;
  const near = nearest(name, dataFormats);
  throw new InvalidArgumentError(
    `There is no format ${name}${near ? ` (Did you mean ${near}?)` : ""}. Formats: ${dataFormats.join(", ")}.`,
  );
}
