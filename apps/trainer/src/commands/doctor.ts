// iapo doctor
import { InvalidArgumentError, Option } from "commander";
import { doctor } from "../doctor/doctor.ts";
import { TrainerError } from "../error.ts";
import { type AddCommand, positiveNumber } from "./command.ts";

interface Flags {
  /** Where to, or true for standard output. */
  readonly json?: true | string;
  readonly kernels?: true;
  readonly measure?: true;
  readonly tune?: true;
  readonly minutes?: number;
  readonly part?: Part;
}

interface Part {
  readonly name: string;
  readonly seconds: number;
}

const MINUTES = 20;

const help = `
--measure looks at the adapter part by part: how its arithmetic rounds, what it can do at most, whether ops and parity hold, how near each kernel of a step
of the 3B model is to the limit, the phases of a step, how much memory it really gives. A part that fails or hangs is named, and the others go on.

Examples:
  $ iapo doctor --measure --json gpu.json     some 20 minutes on a card, half a minute on a software adapter
  $ iapo doctor --tune                        the fastest of kernels that give equal bits, kept for later runs`;

export const addDoctor: AddCommand = (program, run) => {
  program
    .command("doctor")
    .description("show the adapter, its limits, features and memory, and what will not work here")
    .option("--json [file]", "print JSON, or write it into a file")
    .option("--kernels", "list the pipelines of a training step and how long each compiles")
    .addOption(new Option("--measure", "measure what the adapter does, part by part").conflicts(["kernels", "tune"]))
    .addOption(
      new Option(
        "--tune",
        "choose among kernels of equal bits by their time, for all later runs on this adapter",
      ).conflicts(["kernels", "measure"]),
    )
    .option("--minutes <number>", "that --measure may take; default 20", positiveNumber)
    .addOption(new Option("--part <name:seconds>", "a part of --measure, in this process").argParser(partOf).hideHelp())
    .addHelpText("after", help)
    .action(({ json, minutes, measure, tune, part, kernels }: Flags) =>
      run(async (io) => {
        const file = typeof json === "string" ? json : undefined;
        if (part) {
          const { measurePart } = await import("../doctor/measure/parts.ts");
          return measurePart(part.name, part.seconds, io);
        }
        if (minutes !== undefined && !measure)
          throw new TrainerError("argument", "--minutes says how long --measure may take: give --measure too");
        if (tune) {
          const { tune: tuneAdapter } = await import("../doctor/tune.ts");
          return tuneAdapter({ file, json: json !== undefined }, io);
        }
        if (measure) {
          const { measure: measureAdapter } = await import("../doctor/measure/measure.ts");
          return measureAdapter({ minutes: minutes ?? MINUTES, file, json: json !== undefined }, io);
        }
        return doctor({ file, json: json !== undefined, kernels: kernels ?? false }, io);
      }),
    );
};

function partOf(text: string): Part {
  const [, name, seconds] = /^([a-z]+):([0-9.]+)$/.exec(text) ?? [];
  if (name === undefined || !(Number(seconds) > 0)) throw new InvalidArgumentError("It must be NAME:SECONDS.");
  return { name, seconds: Number(seconds) };
}
