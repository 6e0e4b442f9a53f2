// iapo report
import { report } from "../report/report.ts";
import type { AddCommand } from "./command.ts";

export const addReport: AddCommand = (program, run) => {
  program
    .command("report")
    .description("one page of curves, episodes and attributions for one or several runs; figures and tables for a text")
    .argument("<runs...>", "directories that train or sft wrote")
    .option("--out <file>", "the page (default: report.html in the directory of a single run, else in this one)")
    .option(
      "--figures <directory>",
      "also write SVG figures, CSV and Markdown tables; runs that differ by seed are averaged",
    )
    .action((runs: string[], options: { out?: string; figures?: string }) => run((io) => report(runs, options, io)));
};
