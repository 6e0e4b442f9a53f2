// --dry-run: everything but the work: settings, data, prompts and functions are tried, nothing is written.

import { transcribeEpisode, withOwnReward } from "@iapo/grpo";
import type { Job, LoadedConfig } from "@iapo/jobs";
import {
  blockContent,
  checkJob,
  environmentOf,
  leftOutWarnings,
  openProcessor,
  type RunOptions,
  runDirectory,
  taskCheck,
  userFunctions,
  withinPromptLimit,
  withoutJudge,
} from "@iapo/jobs";
import { createScribe, modelDirectory } from "@iapo/qwen-vl-model";
import { loadConfig, tensorTable } from "@iapo/qwen-vl-model/config";
import { type TurnInput, traceVersion } from "@iapo/rollout-trace";
import { openTasks } from "@iapo/vqa-tasks/sources";
import { stringify } from "yaml";
import { ExitCode } from "../exit-codes.ts";
import type { CliIo } from "../io.ts";

export async function dryRun(loaded: LoadedConfig, job: Job, { out }: RunOptions, io: CliIo): Promise<number> {
  const { config, resolved } = loaded;
  const directory = await modelDirectory(config.model, { signal: io.signal });
  const model = await loadConfig(directory);
  const processor = await openProcessor(config.model, io);
  const environment = await environmentOf(withoutJudge(config.environment));
  const tasks = await openTasks(config.data, { check: taskCheck(environment, processor), signal: io.signal });
  const { train } = tasks;
  const task = await train.task(0);
  const countTokens = ({ blocks }: Pick<TurnInput, "blocks">): number =>
    processor.encodeChat([{ role: "user", content: blocks.map(blockContent) }]).tokens.length;
  const blocks = environment.prompt(task);
  const promptTokens = countTokens({ blocks });
  const { reward } = await userFunctions(config.grpo.functions);
  if (reward) {
    const { turns } = await transcribeEpisode(createScribe(processor), environment, task, ["FINAL ANSWER: 0\n"]);
    const place = { version: traceVersion, step: 0, group: 0, sample: 0, policyVersion: 0 } as const;
    await withOwnReward({ ...place, task, blocks, turns, toolOutcomes: [], rewards: { outcome: 0 } }, reward);
  }
  const weights = tensorTable(model).reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0);
  const positions = model.text.maxPositionEmbeddings;
  const found = checkJob(job, { tasks, environment, positions, promptTokens });
  const limit = job.promptLimit && { ...job.promptLimit, environment, policy: { countTokens }, signal: io.signal };
  const { warnings: long } = await withinPromptLimit(tasks, limit);
  io.out(
    [
      `# iapo ${job.command}: ${job.steps} steps in ${runDirectory(loaded, out)}`,
      `# model: ${weights} weights in ${directory}`,
      `# data: ${train.length} tasks; the first is ${task.id}, a prompt of ${promptTokens} tokens`,
      ...[...leftOutWarnings(tasks), ...found, ...long].map((warning) => `# warning: ${warning}`),
      stringify(resolved).trimEnd(),
    ].join("\n"),
  );
  return ExitCode.done;
}
