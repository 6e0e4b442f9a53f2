// iapo report
import { loadRuns, writeFigures, writeReport } from "@iapo/run-report";
import { ExitCode } from "../exit-code.ts";
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
    .action((directories: string[], { out, figures }: { out?: string; figures?: string }) =>
      run(async (io) => {
        const runs = await loadRuns(directories, (directory) => io.note(`reading ${directory}`));
        io.out(`page: ${await writeReport(runs, out)}`);
        if (figures !== undefined)
          for (const file of await writeFigures(runs, figures)) io.out(`figure or table: ${file}`);
        return ExitCode.done;
      }),
    );
};
