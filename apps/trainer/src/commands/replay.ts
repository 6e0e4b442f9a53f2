// iapo replay

import { shippedModels } from "@iapo/jobs";
import { InvalidArgumentError } from "commander";
import { replay } from "../replay/replay.ts";
import { type AddCommand, placeNumber, wholeNumber } from "./command.ts";

interface Given {
  readonly step?: number;
  readonly model?: string;
  readonly logits?: number;
  readonly tolerance: number;
  readonly trust?: boolean;
}

export const addReplay: AddCommand = (program, run) => {
  program
    .command("replay")
    .description(
      "recompute a run's steps from their traces, without a GPU; exit code 1 at the first that differs or is damaged",
    )
    .argument("<run>", "the directory of a run")
    .option("--step <number>", "this one only; steps count from 0", placeNumber)
    .option(
      "--model <directory>",
      "or the name of a shipped one: also encode every turn again, with its tokenizer and image processor",
    )
    .option(
      "--logits <traces>",
      "in place of that, with --step and --model, the weights that wrote it: compare the whole distribution of each token of so many traces between rollout and update, on the GPU",
      wholeNumber,
    )
    .option("--tolerance <number>", "absolute below 1, else relative", tolerance, 1e-6)
    .option("--trust", "load the modules of the user's own functions that the run names")
    .addHelpText(
      "after",
      "\nExamples:\n  $ iapo replay runs/nano-grpo --model nano-student\n  $ iapo replay runs/nano-grpo --step 0 --model nano-student --logits 8",
    )
    .action((directory: string, { trust = false, model, ...given }: Given) =>
      run((io) => replay(directory, { trust, model: model && (shippedModels.get(model) ?? model), ...given }, io)),
    );
};

function tolerance(text: string): number {
  const value = Number(text);
  if (!(value >= 0) || text.trim() === "") throw new InvalidArgumentError("It must be a number of at least 0.");
  return value;
}
