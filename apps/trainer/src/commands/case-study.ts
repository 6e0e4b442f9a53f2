// iapo case-study

import { nearest } from "@iapo/run-config";
import { InvalidArgumentError, Option } from "commander";
import type { CaseStudyFlags } from "../case-study/case-study.ts";
import { type AddCommand, collect, wholeNumber } from "./command.ts";

const help = `
Examples:
  $ iapo case-study runs/nano-iapo-occlusion          its beginning and each of its checkpoints, beside its teacher
  $ iapo case-study --model nano-student --model models/after --charts 64

A run keeps the checkpoints that grpo.checkpoint says: set keep to as many as the figure is to have. iapo report --figures draws what lies
in a run. The same command goes on where it was stopped.`;

const methods = ["ig", "occlusion", "grad_x_input"] as const;

interface Given extends Omit<CaseStudyFlags, "source" | "models"> {
  readonly model: readonly string[];
}

export const addCaseStudy: AddCommand = (program, run) => {
  program
    .command("case-study")
    .description("how often a model takes a tool of the wrong axis, and what its calls rest on (the paper's Figure 3)")
    .argument("[run]", "a run's directory, or its configuration; default the shipped student")
    .option("--model <model>", "a directory or a shipped model, in place of a run; may be repeated", collect, [])
    .option("--teacher <model>", "the line to compare with; default the configuration's, or the shipped one")
    .addOption(
      new Option("--split <split>", "tables of the charts").choices(["validation", "test"]).default("validation"),
    )
    .option("--charts <count>", "how many; one sampled response each", wholeNumber, 256)
    .option("--methods <names>", "of attribution, separated by commas", methodList, ["ig", "occlusion"] as const)
    .option("--ig-steps <count>", "points of integrated gradients", wholeNumber, 32)
    .option("--seed <number>", "of charts and samples; default the configuration's, or 1", wholeNumber)
    .option("--out <directory>", "default: the run's, or runs/case-study")
    .option("--trust", "of a run's directory: load the modules that it names")
    .option("--json", "print JSON")
    .addHelpText("after", help)
    .action((source: string | undefined, { model: models, ...flags }: Given) =>
      run(async (io) => {
        const { runCaseStudy } = await import("../case-study/case-study.ts");
        return runCaseStudy({ ...flags, source, models }, io);
      }),
    );
};

function methodList(text: string): readonly (typeof methods)[number][] {
  return text.split(",").map((name) => {
    const known = methods.find((method) => method === name.trim());
    if (known) return known;
    const near = nearest(name, methods);
    throw new InvalidArgumentError(
      `There is no method ${name}${near ? ` (Did you mean ${near}?)` : ""}. Methods: ${methods.join(", ")}.`,
    );
  });
}
