// iapo sft
import { loadConfig } from "../config/load.ts";
import { drive } from "../run/drive.ts";
import { dryRun } from "../run/dry-run.ts";
import { supervisedJob } from "../sft/job.ts";
import type { AddCommand } from "./command.ts";
import { addRunOptions, type RunFlags } from "./run-options.ts";

export const addSft: AddCommand = (program, run) => {
  const command = program
    .command("sft")
    .description("teach a model by examples: captions, copied names and whole episodes of nano-charts");
  addRunOptions(command).action((source: string, flags: RunFlags) =>
    run(async (io) => {
      const loaded = loadConfig(source, flags.set);
      const job = supervisedJob(loaded.config);
      return flags.dryRun ? dryRun(loaded, job, flags, io) : drive(loaded, job, flags, io);
    }),
  );
};
