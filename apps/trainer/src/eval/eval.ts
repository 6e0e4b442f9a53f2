// iapo eval: a model on held-out tasks, resumable; rates with intervals, and the paper's Table 1.
import { basename, resolve } from "node:path";
import {
  type EndpointOptions,
  type EvaluationPaths,
  endpointPolicy,
  evaluateSets,
  type JudgeSettings,
  type Measured,
  metricTable,
  openEvaluation,
  openJudge,
  tableOneText,
  writeResults,
} from "@iapo/evaluation";
import { checkModelDirectory, environmentOf, modelHash } from "@iapo/jobs";
import { QwenVLPolicy } from "@iapo/qwen-vl-model";
import type { Environment, Policy } from "@iapo/rollout-trace";
import { type EnvironmentPreset, environmentPresets } from "@iapo/vqa-tasks";
import type { DataFormat } from "@iapo/vqa-tasks/loaders";
import type { NanoSplit } from "@iapo/vqa-tasks/nano";
import type { Judge } from "@iapo/vqa-tasks/scoring";
import {
  type MissingSet,
  type OpenSet,
  openNano,
  openOwnSet,
  openTestSet,
  type SetName,
} from "@iapo/vqa-tasks/sources";
import { openAdapter } from "../adapter.ts";
import { TrainerError } from "../error.ts";
import { ExitCode } from "../exit-codes.ts";
import type { CliIo } from "../io.ts";
import { workIn } from "../run/work-in.ts";

export interface EvalOptions {
  readonly model: EvaluatedModel;
  readonly sets: readonly SetName[];
  /** Of nano-charts. */
  readonly split: NanoSplit;
  readonly data: string | undefined;
  /** Own tasks: a file or folder in a format that the loaders read. */
  readonly tasks: string | undefined;
  readonly format: DataFormat | undefined;
  readonly images: string | undefined;
  readonly out: string | undefined;
  readonly n: number;
  readonly temperature: number;
  readonly seed: number;
  /** Tasks of each set; of nano-charts 256 where it is left out. */
  readonly limit: number | undefined;
  readonly maxTokens: number;
  readonly batch: number;
  readonly preset: EnvironmentPreset;
  /** Default: `compact` for nano-charts, `full` for all else. */
  readonly prompt: "full" | "compact" | undefined;
  readonly judge: JudgeSettings | undefined;
  readonly json?: true | undefined;
}

export type EvaluatedModel = { readonly directory: string } | Omit<EndpointOptions, "maxTokens">;

const NANO_TASKS = 256;

/** Evaluates, or goes on where it stopped. */
export async function evaluate(options: EvalOptions, io: CliIo): Promise<number> {
  const { model, sets } = options;
  const name = "directory" in model ? basename(resolve(model.directory)) : model.model;
  const opened = await Promise.all(sets.map((set) => openSet(set, options)));
  if (options.tasks !== undefined) {
    const { tasks: path, format, images } = options;
    opened.push(await openOwnSet({ path, format, images, onLeftOut: (words) => io.note(words) }));
  }
  const present = opened.filter((set): set is OpenSet => "tasks" in set);
  const missing = opened.filter((set): set is MissingSet => "missing" in set);
  for (const { name: set, missing: what } of missing) io.note(`${set} is missing: ${what}`);
  if (present.length === 0) throw new TrainerError("missing", `none of the sets ${sets.join(", ")} can be evaluated`);

  const directory = options.out ?? `runs/eval-${name.replace(/[^\w.-]/g, "-")}`;
  const settings = await settingsOf(options, present);
  if ("directory" in model) (await openAdapter()).close(); // without an adapter nothing is begun
  return workIn(directory, io, async () => {
    const paths = await openEvaluation(directory, settings);
    const measured = await withPolicy(options, (policy) => measureSets(policy, present, options, paths, io));
    const results = await writeResults(paths, name, measured, missing, scoringOf(options, present));
    if (options.json) io.out(JSON.stringify(results, null, 2));
    else {
      for (const [set, values] of measured)
        io.out(`${metricTable(set, values)}\n  scored by       ${results.scoring[set]}`);
      if (sets.some((set) => set !== "nano")) io.out(`\n${tableOneText(name, measured, missing)}`);
      io.out(`traces and results: ${directory}`);
    }
    return ExitCode.done;
  });
}

/** How answers are scored, by name of the set. */
function scoringOf({ judge }: EvalOptions, sets: readonly OpenSet[]): Record<string, string> {
  return Object.fromEntries(sets.map(({ name, rule }) => [name, judge ? "judge" : rule]));
}

async function openSet(set: SetName, { split, seed, limit, data }: EvalOptions): Promise<OpenSet | MissingSet> {
  return set === "nano" ? openNano({ seed, split, count: limit ?? NANO_TASKS }) : openTestSet(set, data);
}

/** What decides the answers: a directory of an evaluation goes on only with the same. */
async function settingsOf(options: EvalOptions, sets: readonly OpenSet[]): Promise<object> {
  const { model, n, temperature, seed, limit = null, maxTokens, batch, preset, prompt = null } = options;
  if ("directory" in model) await checkModelDirectory(model.directory);
  const judge = options.judge && { endpoint: options.judge.endpoint, model: options.judge.model };
  return {
    version: 1,
    model: "directory" in model ? await modelHash(model.directory) : { endpoint: model.endpoint, name: model.model },
    sets: Object.fromEntries(sets.map(({ name, content }) => [name, content])),
    sampling: { n, temperature, seed, maxTokens },
    limit,
    batch,
    environment: { preset, prompt },
    scoring: scoringOf(options, sets),
    judge: judge ?? null,
  };
}

async function withPolicy<T>({ model, maxTokens }: EvalOptions, work: (policy: Policy) => Promise<T>): Promise<T> {
  if (!("directory" in model)) return work(endpointPolicy({ ...model, maxTokens }));
  using device = await openAdapter();
  const policy = await QwenVLPolicy.load(device, { directory: model.directory }, { frozen: true });
  try {
    return await work(policy);
  } finally {
    policy.model.dispose();
  }
}

async function measureSets(
  policy: Policy,
  sets: readonly OpenSet[],
  options: EvalOptions,
  paths: EvaluationPaths,
  { note, signal }: CliIo,
): Promise<Map<string, Measured>> {
  await using judge = options.judge && (await openJudge(options.judge, paths.verdicts));
  const inEnvironment = await Promise.all(
    sets.map(async (set) => ({ ...set, environment: await environmentOfSet(set.name, options, judge?.judge) })),
  );
  return await evaluateSets(policy, inEnvironment, paths, {
    ...options,
    samples: options.n,
    apart: !("directory" in options.model),
    signal,
    onProgress: note,
  });
}

function environmentOfSet(
  set: string,
  { preset, prompt, judge: settings }: EvalOptions,
  judge: Judge | undefined,
): Promise<Environment> {
  const base = environmentPresets[preset];
  const scoring = { ...base.scoring, scoring: settings ? ("judge" as const) : ("by_set" as const) };
  return environmentOf({ ...base, scoring, prompt: prompt ?? (set === "nano" ? "compact" : "full") }, judge);
}
