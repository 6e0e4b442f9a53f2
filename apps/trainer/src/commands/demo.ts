// iapo demo

import { Option } from "commander";
import { demo } from "../demo/demo.ts";
import type { DemoOptions } from "../demo/options.ts";
import { demoOf, regimes } from "../demo/regime.ts";
import { type AddCommand, wholeNumber } from "./command.ts";

/** Enough for narrow intervals, and enough to see that everything works. */
const [MANY, FEW] = [448, 64];
/** A training of fewer steps is a trial. */
const TRIAL_STEPS = 5;

/** Where something is left out, it follows from the rest. */
type Flags = Omit<DemoOptions, "charts" | "steps" | "recipe"> & { charts?: number; steps?: number; recipe?: string };

export const addDemo: AddCommand = (program, run) => {
  program
    .command("demo")
    .description("measure a small student on held-out charts, train it by IAPO beside a teacher, measure it again")
    .option(
      "--steps <count>",
      `training steps; default ${demoOf.blind.steps}, ${demoOf.strict.steps} in the strict regime`,
      wholeNumber,
    )
    .option("--seed <number>", "of the training: charts, draws, order", wholeNumber, 1)
    .option(
      "--charts <count>",
      `held-out charts that each model answers; default ${MANY}, for a trial ${FEW}`,
      wholeNumber,
    )
    .option("--out <directory>", "where everything is written; default a new one, runs/demo")
    .option("--real <directory>", "real charts and tables of published sets in place of nano-charts")
    .addOption(
      new Option(
        "--regime <name>",
        "what a call of the wrong axis comes to: strict, it shows nothing; blind, as in the paper, it paints the same pixels; default blind, or that of --recipe",
      ).choices([...regimes]),
    )
    .option(
      "--recipe <config>",
      `what it is trained by; default ${demoOf.blind.recipe}, ${demoOf.strict.recipe} in the strict regime`,
    )
    .option("--student <directory>", "a Qwen2.5-VL directory in place of the nano student")
    .option("--teacher <directory>", "and in place of the nano teacher")
    .addHelpText(
      "after",
      "\nExamples:\n  $ iapo demo\n  $ iapo demo --seed 2 --steps 20\n  $ iapo demo --regime strict\n  $ iapo demo --real data --steps 2",
    )
    .action((flags: Flags) => {
      const { recipe, steps } = { ...demoOf[flags.regime ?? "blind"], ...flags };
      const regime = flags.regime ?? (flags.recipe === undefined ? "blind" : undefined);
      const charts = flags.charts ?? (steps < TRIAL_STEPS ? FEW : MANY);
      return run((io) => demo({ ...flags, recipe, steps, regime, charts }, io));
    });
};
