// iapo sft
import { checkTrust, loadConfig, supervisedJob } from "@iapo/jobs";
import { dryRun } from "../run/dry-run.ts";
import { runJob } from "../run/run-job.ts";
import type { AddCommand } from "./command.ts";
import { addRunOptions, type RunFlags, settingsOf } from "./run-options.ts";

export const addSft: AddCommand = (program, run) => {
  const command = program
    .command("sft")
    .description("teach a model by examples: captions, copied names and whole episodes of nano-charts");
  addRunOptions(command).action((source: string, flags: RunFlags) =>
    run(async (io) => {
      const loaded = loadConfig(source, settingsOf(flags, "supervised"));
      checkTrust(source, loaded.config, flags.trust ?? false);
      return flags.dryRun
        ? dryRun(loaded, supervisedJob(loaded.config), flags, io)
        : runJob(loaded, supervisedJob, flags, io);
    }),
  );
};
