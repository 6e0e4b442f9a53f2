// The frame of the command line: commands, help, and what becomes of an error.
import { Command, CommanderError, InvalidArgumentError } from "commander";
import { demo } from "./demo/demo.ts";
import { doctor } from "./doctor/doctor.ts";
import { ExitCode, exitCodeOf, explain } from "./exit-codes.ts";
import type { CliIo } from "./io.ts";

const examples = `
Examples:
  $ iapo doctor                     what this machine's adapter can do, and what will not work
  $ iapo doctor --json              the same for programs
  $ iapo doctor --kernels           also each pipeline of a training step with its cold compile time
  $ iapo demo                       a real chart through the whole of a nano model, then a short training
  $ iapo --quiet demo --steps 50    the result only

Exit codes:
  0    done
  1    something failed; the message says what, where and what to do
  2    the command line was not understood
  3    there is no usable WebGPU adapter
  130  interrupted; what was begun was ended in order`;

/** Runs a command line and returns the exit code. Never throws. */
export async function runCli(args: readonly string[], io: CliIo): Promise<number> {
  let exitCode: number = ExitCode.done;
  const program = new Command("iapo")
    .description("Teach a small vision-language model to use visual tools, on any GPU that WebGPU reaches.")
    .option("-q, --quiet", "results only, no progress")
    .addHelpText("after", examples)
    .showHelpAfterError("(iapo --help shows every command)")
    .exitOverride()
    .configureOutput({ writeOut: (text) => io.out(text.trimEnd()), writeErr: (text) => io.note(text.trimEnd()) });
  const quietly = (): CliIo => (program.opts<{ quiet?: true }>().quiet ? { ...io, note: () => {} } : io);

  program
    .command("doctor")
    .description("show the adapter, its limits, features and memory, and what will not work here")
    .option("--json", "print JSON")
    .option("--kernels", "list the pipelines of a training step and how long each compiles")
    .action(async (options: { json?: true; kernels?: true }) => {
      exitCode = await doctor(options, quietly());
    });
  program
    .command("demo")
    .description("a real chart through the whole of a nano model, then a short training on chart questions")
    .option("--steps <count>", "training steps", wholeNumber, 60)
    .option("--seed <number>", "every random number follows from it", wholeNumber, 1)
    .option("--out <directory>", "where the pictures are written", "runs/demo")
    .action(async (options: { steps: number; seed: number; out: string }) => {
      exitCode = await demo(options, quietly());
    });

  try {
    await program.parseAsync([...args], { from: "user" });
    return exitCode;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? ExitCode.done : ExitCode.usage;
    io.note(explain(error));
    return exitCodeOf(error);
  }
}

function wholeNumber(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1)
    throw new InvalidArgumentError("It must be a whole number of at least 1.");
  return value;
}
