// The frame of the command line: commands, help, and what becomes of an error.

import type { KernelFamily } from "@iapo/tensor-core";
import { Command, CommanderError, Option } from "commander";
import { type AdapterFlags, chooseAdapter } from "./choose-adapter.ts";
import { type AddCommand, gibibytes, type Run } from "./commands/command.ts";
import { ExitCode } from "./exit-code.ts";
import type { CliIo } from "./io.ts";
import { printable } from "./printable.ts";
import { versionText } from "./version.ts";

/** In the order of the help. What a command needs is loaded with it: nobody who asks for `recipes` waits for what trains. */
const commands: Readonly<Record<string, () => Promise<AddCommand>>> = {
  doctor: async () => (await import("./commands/doctor.ts")).addDoctor,
  demo: async () => (await import("./commands/demo.ts")).addDemo,
  init: async () => (await import("./commands/init.ts")).addInit,
  recipes: async () => (await import("./commands/recipes.ts")).addRecipes,
  plan: async () => (await import("./commands/plan.ts")).addPlan,
  sft: async () => (await import("./commands/train.ts")).addSft,
  train: async () => (await import("./commands/train.ts")).addTrain,
  worker: async () => (await import("./commands/worker.ts")).addWorker,
  fleet: async () => (await import("./commands/fleet.ts")).addFleet,
  eval: async () => (await import("./commands/eval.ts")).addEval,
  attribute: async () => (await import("./commands/attribute.ts")).addAttribute,
  replay: async () => (await import("./commands/replay.ts")).addReplay,
  export: async () => (await import("./commands/export.ts")).addExport,
  serve: async () => (await import("./commands/serve.ts")).addServe,
  report: async () => (await import("./commands/report.ts")).addReport,
  view: async () => (await import("./commands/view.ts")).addView,
  data: async () => (await import("./commands/data.ts")).addData,
  diagnose: async () => (await import("./commands/diagnose.ts")).addDiagnose,
  "case-study": async () => (await import("./commands/case-study.ts")).addCaseStudy,
  ablate: async () => (await import("./commands/ablate.ts")).addAblate,
  completion: async () => (await import("./commands/completion.ts")).addCompletion,
};

/** As `kernelFamilies` of tensor-core, which nobody who asks for help waits for. */
const families: readonly KernelFamily[] = ["software", "workgroup", "matrix"];

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

/** The command line, with every command that there is; the work of its commands goes through `run`. */
export async function commandLine(io: Pick<CliIo, "out" | "note">, run: Run): Promise<Command> {
  return programOf(Object.keys(commands), io, run);
}

async function programOf(names: readonly string[], io: Pick<CliIo, "out" | "note">, run: Run): Promise<Command> {
  const program = new Command("iapo")
    .description("Teach a small vision-language model to use visual tools, on any GPU that WebGPU reaches.")
    .version(versionText(), "-V, --version", "versions of iapo, its packages and Node")
    .option("-q, --quiet", "results only, no progress")
    .option("--adapter <text>", "the graphics card whose name contains this; iapo doctor lists them")
    .option("--memory <GiB>", "what tensors may take of its memory", gibibytes)
    .addOption(
      new Option("--family <name>", "of kernels, where not the adapter's own: matrix takes tensor cores").choices(
        families,
      ),
    )
    .addHelpText("after", examples)
    .showHelpAfterError("(iapo --help shows every command)")
    .exitOverride()
    .configureOutput({ writeOut: (text) => io.out(text.trimEnd()), writeErr: (text) => io.note(text.trimEnd()) });
  for (const name of names) (await commands[name]?.())?.(program, run);
  return program;
}

/** One command, where the command line begins with its name; `completion` tells of all. */
function commandsOf([first = ""]: readonly string[]): readonly string[] {
  if (/^(-V|--version)$/.test(first)) return [];
  return Object.hasOwn(commands, first) && first !== "completion" ? [first] : Object.keys(commands);
}

/** Runs a command line and returns the exit code. Never throws. */
export async function runCli(args: readonly string[], given: CliIo): Promise<number> {
  const io: CliIo = {
    ...given,
    out: (text) => given.out(printable(text)),
    note: (text) => given.note(printable(text)),
  };
  let exitCode: number = ExitCode.done;
  try {
    const program = await programOf(commandsOf(args), io, async (work) => {
      chooseAdapter(program.opts<AdapterFlags>());
      const isQuiet = program.opts<{ quiet?: true }>().quiet;
      exitCode = await work(isQuiet ? { ...io, note: () => {}, terminal: undefined } : io);
    });
    await program.parseAsync([...args], { from: "user" });
    return exitCode;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? ExitCode.done : ExitCode.usage;
    const { exitCodeOf, explain, isInterrupt } = await import("./explain.ts");
    if (isInterrupt(error, io.signal)) {
      io.note("interrupted");
      return ExitCode.interrupted;
    }
    io.note(explain(error));
    return exitCodeOf(error);
  }
}
