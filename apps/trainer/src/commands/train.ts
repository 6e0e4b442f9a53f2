// iapo train
import { loadConfig } from "../config/load.ts";
import { drive } from "../run/drive.ts";
import { dryRun } from "../run/dry-run.ts";
import { grpoJob } from "../train/job.ts";
import type { AddCommand } from "./command.ts";
import { addRunOptions, type RunFlags } from "./run-options.ts";

export const addTrain: AddCommand = (program, run) => {
  const command = program
    .command("train")
    .description("train a model by reinforcement learning on chart and table questions, with a tool between two turns");
  addRunOptions(command).action((source: string, flags: RunFlags) =>
    run(async (io) => {
      const loaded = loadConfig(source, flags.set);
      const job = grpoJob(loaded.config);
      return flags.dryRun ? dryRun(loaded, job, flags, io) : drive(loaded, job, flags, io);
    }),
  );
};
