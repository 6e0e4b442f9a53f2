// iapo demo
import { demo } from "../demo/demo.ts";
import { type AddCommand, wholeNumber } from "./command.ts";

export const addDemo: AddCommand = (program, run) => {
  program
    .command("demo")
    .description("a real chart through the whole of a nano model, then a short training on chart questions")
    .option("--steps <count>", "training steps", wholeNumber, 60)
    .option("--seed <number>", "every random number follows from it", wholeNumber, 1)
    .option("--out <directory>", "where the pictures are written", "runs/demo")
    .action((options: { steps: number; seed: number; out: string }) => run((io) => demo(options, io)));
};
