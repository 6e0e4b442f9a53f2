// iapo train
import { checkTrust, grpoJob, loadConfig } from "@iapo/jobs";
import { dryRun } from "../run/dry-run.ts";
import { runJob } from "../run/run-job.ts";
import type { AddCommand } from "./command.ts";
import { addRunOptions, type RunFlags, settingsOf } from "./run-options.ts";

export const addTrain: AddCommand = (program, run) => {
  const command = program
    .command("train")
    .description("train a model by reinforcement learning on chart and table questions, with a tool between two turns");
  addRunOptions(command).action((source: string, flags: RunFlags) =>
    run(async (io) => {
      const loaded = loadConfig(source, settingsOf(flags, "grpo"));
      checkTrust(source, loaded.config, flags.trust ?? false);
      return flags.dryRun ? dryRun(loaded, grpoJob(loaded.config), flags, io) : runJob(loaded, grpoJob, flags, io);
    }),
  );
};
