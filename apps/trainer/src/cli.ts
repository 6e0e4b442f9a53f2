// The frame of the command line: commands, help, and what becomes of an error.
import { isInterrupt } from "@iapo/jobs";
import { Command, CommanderError } from "commander";
import { type AdapterFlags, chooseAdapter } from "./adapter.ts";
import { addAblate } from "./commands/ablate.ts";
import { addAttribute } from "./commands/attribute.ts";
import { addCaseStudy } from "./commands/case-study.ts";
import { type AddCommand, gibibytes, type Run } from "./commands/command.ts";
import { addCompletion } from "./commands/completion.ts";
import { addData } from "./commands/data.ts";
import { addDemo } from "./commands/demo.ts";
import { addDiagnose } from "./commands/diagnose.ts";
import { addDoctor } from "./commands/doctor.ts";
import { addEval } from "./commands/eval.ts";
import { addExport } from "./commands/export.ts";
import { addFleet } from "./commands/fleet.ts";
import { addInit } from "./commands/init.ts";
import { addPlan } from "./commands/plan.ts";
import { addRecipes } from "./commands/recipes.ts";
import { addReplay } from "./commands/replay.ts";
import { addReport } from "./commands/report.ts";
import { addServe } from "./commands/serve.ts";
import { addSft, addTrain } from "./commands/train.ts";
import { addView } from "./commands/view.ts";
import { addWorker } from "./commands/worker.ts";
import { ExitCode, exitCodeOf, explain } from "./exit-codes.ts";
import type { CliIo } from "./io.ts";
import { printable } from "./printable.ts";
import { versionText } from "./version.ts";

/** In the order of the help. */
const commands: readonly AddCommand[] = [
  addDoctor,
  addDemo,
  addInit,
  addRecipes,
  addPlan,
  addSft,
  addTrain,
  addWorker,
  addFleet,
  addEval,
  addAttribute,
  addReplay,
  addExport,
  addServe,
  addReport,
  addView,
  addData,
  addDiagnose,
  addCaseStudy,
  addAblate,
  addCompletion,
];

const examples = `
Examples:
  $ iapo doctor                     what this machine's adapter can do, and what will not work
  $ iapo doctor --json              the same for programs
  $ iapo doctor --kernels           also each pipeline of a training step with its cold compile time
  $ iapo demo                       a student before and after IAPO, beside its teacher
  $ iapo --quiet demo --seed 2      the result only
  $ iapo train nano-grpo            a shipped recipe, into runs/nano-grpo
  $ iapo init my-charts             a project of your own: configuration, rows for your data
  $ iapo recipes                    all recipes; iapo recipes show NAME prints one
  $ iapo train my.yaml --set grpo.steps=20 --out runs/a
  $ iapo train my.yaml --fleet 2    the same run, to the same bits, with two workers of this machine
  $ iapo train --resume runs/a      goes on with a run that was stopped
  $ iapo plan my.yaml --memory 24   bytes and time of a step, and what to change where it does not fit
  $ iapo diagnose                   before a run: which penalties separate faults from right calls
  $ iapo ablate --hours 4           the paper's experiments at nano scale, resumable
  $ iapo serve models/after         a trained model behind an OpenAI-compatible address
  $ iapo report runs/a              runs/a/report.html: curves, episodes, attributions
  $ iapo view                       all runs in a browser, while they train

Exit codes:
  0    done
  1    something failed; the message says what, where and what to do
  2    the command line or the configuration was not understood
  3    there is no usable WebGPU adapter
  4    another process is at work in the run's directory
  130  interrupted; what was begun was ended in order`;

/** The command line; the work of its commands goes through `run`. */
export function commandLine(io: Pick<CliIo, "out" | "note">, run: Run): Command {
  const program = new Command("iapo")
    .description("Teach a small vision-language model to use visual tools, on any GPU that WebGPU reaches.")
    .version(versionText(), "-V, --version", "versions of iapo, its packages and Node")
    .option("-q, --quiet", "results only, no progress")
    .option("--adapter <text>", "the graphics card whose name contains this; iapo doctor lists them")
    .option("--memory <GiB>", "what tensors may take of its memory", gibibytes)
    .addHelpText("after", examples)
    .showHelpAfterError("(iapo --help shows every command)")
    .exitOverride()
    .configureOutput({ writeOut: (text) => io.out(text.trimEnd()), writeErr: (text) => io.note(text.trimEnd()) });
  for (const add of commands) add(program, run);
  return program;
}

/** Runs a command line and returns the exit code. Never throws. */
export async function runCli(args: readonly string[], given: CliIo): Promise<number> {
  const io: CliIo = {
    ...given,
    out: (text) => given.out(printable(text)),
    note: (text) => given.note(printable(text)),
  };
  let exitCode: number = ExitCode.done;
  const program = commandLine(io, async (work) => {
    chooseAdapter(program.opts<AdapterFlags>());
    exitCode = await work(program.opts<{ quiet?: true }>().quiet ? { ...io, note: () => {}, terminal: undefined } : io);
  });
  try {
    await program.parseAsync([...args], { from: "user" });
    return exitCode;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? ExitCode.done : ExitCode.usage;
    if (isInterrupt(error, io.signal)) {
      io.note("interrupted");
      return ExitCode.interrupted;
    }
    io.note(explain(error));
    return exitCodeOf(error);
  }
}
