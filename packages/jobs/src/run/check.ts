// Everything of a job but the work, without a GPU: settings, data, prompts and functions are tried, nothing is written.
import { createScribe, modelDirectory } from "@iapo/qwen-vl-model";
import { loadConfig, tensorTable } from "@iapo/qwen-vl-model/config";
import type { TurnInput } from "@iapo/rollout-trace";
import { type Job, specOf } from "../open-job.ts";
import { episodesOf, withoutJudge } from "../parts/environment.ts";
import { blockContent } from "../parts/prompt-content.ts";
import { requireTrust } from "../parts/user-modules.ts";
import { warningsOf } from "./problems.ts";
import { withinPromptLimit } from "./prompt-limit.ts";
import { leftOutWarnings, openProcessor, taskCheck } from "./task-check.ts";
import { tryFunctions } from "./try-functions.ts";

export interface JobCheck {
  readonly model: { readonly directory: string; readonly weights: number };
  readonly tasks: number;
  readonly firstTask: { readonly id: string; readonly promptTokens: number };
  /** What a run would say of itself: rows that are left out, settings that will hardly do, prompts that are too long. */
  readonly warnings: readonly string[];
  /** What only a run can try. */
  readonly untried: readonly string[];
}

/** @throws JobsError `config`, `untrusted`; what reading the model, the data or a function throws */
export async function checkJob(
  job: Job,
  options: { readonly signal?: AbortSignal | undefined } = {},
): Promise<JobCheck> {
  requireTrust(job);
  const signal = options.signal ?? new AbortController().signal;
  const { config, kind } = job;
  const spec = specOf(kind, config);
  const directory = await modelDirectory(config.model, { signal });
  const model = await loadConfig(directory);
  const processor = await openProcessor(config.model, { signal });
  const { environment, openTasks } = await episodesOf({ ...config, environment: withoutJudge(config.environment) });
  const tasks = await openTasks({ check: taskCheck(environment, processor), signal });
  const { train } = tasks;
  const task = await train.task(0);
  const countTokens = ({ blocks }: Pick<TurnInput, "blocks">): number =>
    processor.encodeChat([{ role: "user", content: blocks.map(blockContent) }]).tokens.length;
  const promptTokens = countTokens({ blocks: environment.prompt(task) });
  const untried = await tryFunctions(config, { scribe: createScribe(processor), environment, task });
  const weights = tensorTable(model).reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0);
  const positions = model.text.maxPositionEmbeddings;
  const found = warningsOf(spec, { tasks, environment, positions, promptTokens });
  const limit = spec.promptLimit && { ...spec.promptLimit, environment, policy: { countTokens }, signal };
  const { warnings: long } = await withinPromptLimit(tasks, limit);
  return {
    model: { directory, weights },
    tasks: train.length,
    firstTask: { id: task.id, promptTokens },
    untried,
    warnings: [...leftOutWarnings(tasks), ...found, ...long],
  };
}
