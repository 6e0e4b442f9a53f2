// iapo diagnose
import { Option } from "commander";
import type { DiagnoseFlags } from "../diagnose/diagnose.ts";
import { type AddCommand, wholeNumber } from "./command.ts";

const help = `
On each chart calls are set down: two right ones, one on the wrong axis, one with other names. AUC is how often the penalty of
the fault is above that of the right call: 1 always, 0.5 chance, below 0.5 a policy is paid for the fault. The student is judged as it
is, and biased to each axis and to no call by a few supervised steps; the table has its worst state, in which a recommended setting
tells both faults apart too.

Examples:
  $ iapo diagnose                                                       the shipped models, 200 charts
  $ iapo diagnose my.yaml --out runs/choice                             the models of a configuration
  $ iapo diagnose my.yaml --split test --choice runs/choice/diagnosis.json --out runs/report
                                                                        the choice, on tables it was not made on

The same command goes on where it was stopped.`;

export const addDiagnose: AddCommand = (program, run) => {
  program
    .command("diagnose")
    .description(
      "before a run: how well the penalty separates faulty calls from right ones, for every way to compute it",
    )
    .argument(
      "[config]",
      "a configuration or a run's directory, for its models, charts and settings; default what ships",
    )
    .option("--student <model>", "a model's directory, or the name of a shipped one")
    .option("--teacher <model>", "likewise")
    .addOption(
      new Option("--split <split>", "tables of the charts: choose on validation, report on test")
        .choices(["train", "validation", "test"])
        .default("validation"),
    )
    .option("--choice <file>", "the diagnosis.json of an earlier diagnosis on other tables, to report on its choice")
    .option("--charts <count>", "how many", wholeNumber, 200)
    .option("--seed <number>", "of the charts; default the configuration's, or 1", wholeNumber)
    .option("--out <directory>", "where scores, result and picture are written", "runs/diagnose")
    .option("--trust", "of a run's directory: load the modules that it names")
    .option("--json", "print JSON")
    .addHelpText("after", help)
    .action((source: string | undefined, flags: Omit<DiagnoseFlags, "source">) =>
      run(async (io) => {
        const { runDiagnosis } = await import("../diagnose/diagnose.ts");
        return runDiagnosis({ ...flags, source }, io);
      }),
    );
};
