// iapo export
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { exportCheckpoint } from "@iapo/jobs";
import { pushModel } from "@iapo/qwen-vl-model";
import { Option } from "commander";
import { openAdapter } from "../adapter.ts";
import { TrainerError } from "../error.ts";
import { ExitCode } from "../exit-code.ts";
import { modelCard } from "../push/model-card.ts";
import { type AddCommand, wholeNumber } from "./command.ts";

interface Given {
  readonly out: string;
  readonly step?: number;
  readonly best?: true;
  readonly last?: true;
  readonly dtype?: "bf16" | "f32";
  readonly model?: string;
  readonly push?: string;
  readonly private?: true;
}

const examples = `
Examples:
  $ iapo export runs/nano-grpo --out models/after --dtype bf16
  $ iapo export runs/a --out models/a --push me/charts --private   to the hub; nothing is sent without --push`;

export const addExport: AddCommand = (program, run) => {
  program
    .command("export")
    .description("write a checkpoint of a run as a Hugging Face directory, its adapter merged, its numbers checked")
    .argument("<run>", "the directory of a run, or of one of its checkpoints")
    .requiredOption("--out <directory>", "a new one")
    .option("--best", "of its evaluations; the default where there were any")
    .option("--last", "the default else")
    .option("--step <count>", "after so many steps", wholeNumber)
    .addOption(new Option("--dtype <kind>", "default: as the run held its matrices").choices(["bf16", "f32"]))
    .option("--model <directory>", "the model that the run began with, where it was moved")
    .option("--push <owner/name>", "then upload it, with a model card, to a repository of the hub; needs HF_TOKEN")
    .option("--private", "with --push: a repository that is made is seen by its owner only")
    .addHelpText("after", examples)
    .action((source: string, { out, best, last, step, push, private: isPrivate, ...given }: Given) =>
      run(async (io) => {
        const chosen = [best && ("best" as const), last && ("last" as const), step].filter((one) => one !== undefined);
        if (chosen.length > 1) throw new TrainerError("argument", "give one of --best, --last and --step");
        if (isPrivate && push === undefined) throw new TrainerError("argument", "--private goes with --push");
        if (push !== undefined && !/^[^/\s]+\/[^/\s]+$/.test(push))
          throw new TrainerError("argument", `--push ${push}: expected a repository as owner/name`);
        using device = await openAdapter();
        const made = await exportCheckpoint(source, out, { ...given, which: chosen[0], device, signal: io.signal });
        io.note(`${made.checkpoint}: ${made.tensors} tensors`);
        io.out(`${out}: ${made.dtype}, from ${made.checkpoint}`);
        if (made.base === "int8")
          io.out(
            "its base was held in eight bits (model.base): the adapter is merged into the widened numbers, as it was trained",
          );
        io.out(
          `${made.rows} rows of logits equal to the bit after reloading; merging moved them by ${made.distance.toExponential(1)} of the largest, the likeliest token is the same in ${(100 * made.topOneAgreement).toFixed(1)} %`,
        );
        io.note(`to measure it as it was trained: ${program.name()} eval ${out} --config ${source}`);
        if (push === undefined) return ExitCode.done;
        await writeFile(join(out, "README.md"), await modelCard(made, push), { flag: "wx" });
        const pushed = await pushModel(out, push, {
          isPrivate,
          title: "Upload a model by iapo export",
          signal: io.signal,
        });
        io.out(`${pushed.files.length} files pushed: ${pushed.url}, commit ${pushed.commit}`);
        return ExitCode.done;
      }),
    );
};
