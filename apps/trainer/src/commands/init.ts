// iapo init
import { Option } from "commander";
import type { AdapterFlags } from "../choose-adapter.ts";
import { init } from "../init/init.ts";
import { type DataChoice, dataChoices, type ModelChoice, modelChoices } from "../init/project.ts";
import type { AddCommand } from "./command.ts";

const help = `
Asks for what is not said, where there is somebody to ask. --memory <GiB> is of the card that the run is for.

Examples:
  $ iapo init                                  # asks, and writes into this directory
  $ iapo init my-charts --data own --model 3b --memory 24`;

export const addInit: AddCommand = (program, run) => {
  program
    .command("init")
    .description("begin a project: a commented configuration, rows for data of your own, a .gitignore")
    .argument("[directory]", "where to", ".")
    .addOption(new Option("--data <which>", "your own data, or small charts to try with").choices(dataChoices))
    .addOption(new Option("--model <which>", "the model to train").choices(modelChoices))
    .addHelpText("after", help)
    .action((directory: string, flags: { readonly data?: DataChoice; readonly model?: ModelChoice }) =>
      run((io) => init({ directory, ...flags, memory: program.opts<AdapterFlags>().memory }, io)),
    );
};
