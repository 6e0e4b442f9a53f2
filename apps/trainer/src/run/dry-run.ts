// --dry-run: everything but the work is tried, and what would run is printed.
import { checkJob, type Job } from "@iapo/jobs";
import { stringify } from "yaml";
import { ExitCode } from "../exit-code.ts";
import type { CliIo } from "../io.ts";

export async function dryRun(job: Job, { out, signal }: CliIo): Promise<number> {
  const { model, tasks, firstTask, warnings, untried } = await checkJob(job, { signal });
  out(
    [
      `# iapo ${job.kind}: ${job.steps} steps in ${job.directory}`,
      `# model: ${model.weights} weights in ${model.directory}`,
      `# data: ${tasks} tasks; the first is ${firstTask.id}, a prompt of ${firstTask.promptTokens} tokens`,
      ...warnings.map((warning) => `# warning: ${warning}`),
      ...untried.map((what) => `# ${what}`),
      stringify(job.resolved).trimEnd(),
    ].join("\n"),
  );
  return ExitCode.done;
}
