// iapo eval: a model on held-out tasks, resumable; rates with intervals, and the paper's Table 1.
import { basename, resolve } from "node:path";
import {
  type EndpointOptions,
  type EvaluationPaths,
  endpointPolicy,
  evaluateSets,
  type Measured,
  metricTable,
  openEvaluation,
  openJudge,
  tableOneText,
  writeResults,
} from "@iapo/evaluation";
import { checkModelDirectory, modelHash } from "@iapo/jobs";
import { QwenVLPolicy } from "@iapo/qwen-vl-model";
import type { Policy } from "@iapo/rollout-trace";
import type { Device } from "@iapo/tensor-core";
import type { DataFormat } from "@iapo/vqa-tasks/loaders";
import type { NanoSplit } from "@iapo/vqa-tasks/nano";
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
import { ExitCode } from "../exit-code.ts";
import type { CliIo } from "../io.ts";
import { workIn } from "../run/work-in.ts";
import {
  type EpisodeFlags,
  type Episodes,
  episodesOfFlags,
  episodesOfJob,
  heldOutSet,
  openEvaluatedJob,
} from "./episodes.ts";

export interface EvalOptions extends EpisodeFlags {
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
  /** A configuration whose environment and judge are in the place of the options'; its held-out tasks are a set where no other is named. */
  readonly config: string | undefined;
  /** Assignments to it. */
  readonly set: readonly string[];
  readonly trust?: true | undefined;
  readonly json?: true | undefined;
}

export type EvaluatedModel = { readonly directory: string } | Omit<EndpointOptions, "maxTokens">;

const NANO_TASKS = 256;

/** Evaluates, or goes on where it stopped. */
export async function evaluate(options: EvalOptions, io: CliIo): Promise<number> {
  const { model, sets } = options;
  const name = "directory" in model ? basename(resolve(model.directory)) : model.model;
  const job = options.config === undefined ? undefined : openEvaluatedJob(options.config, options);
  const episodes = job ? await episodesOfJob(job) : episodesOfFlags(options);
  const opened = await Promise.all(sets.map((set) => openSet(set, options)));
  if (job && sets.length === 0 && options.tasks === undefined)
    opened.push(await heldOutSet(job, options.limit ?? NANO_TASKS));
  if (options.tasks !== undefined) {
    const { tasks: path, format, images } = options;
    opened.push(await openOwnSet({ path, format, images, onLeftOut: (words) => io.note(words) }));
  }
  const present = opened.filter((set): set is OpenSet => "tasks" in set);
  const missing = opened.filter((set): set is MissingSet => "missing" in set);
  for (const { name: set, missing: what } of missing) io.note(`${set} is missing: ${what}`);
  if (present.length === 0) throw new TrainerError("missing", `none of the sets ${sets.join(", ")} can be evaluated`);

  const directory = options.out ?? `runs/eval-${name.replace(/[^\w.-]/g, "-")}`;
  const settings = await settingsOf(options, present, episodes);
  const source =
    "directory" in model
      ? { device: await openAdapter(), directory: model.directory } // without an adapter nothing is begun
      : endpointPolicy({ ...model, maxTokens: options.maxTokens });
  using _ = "device" in source ? source.device : undefined;
  return await workIn(directory, io, async () => {
    const paths = await openEvaluation(directory, settings);
    const measured = await withPolicy(source, (policy) => measureSets(policy, present, episodes, options, paths, io));
    const results = await writeResults(paths, name, measured, missing, scoringOf(episodes, present));
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
function scoringOf({ scoring }: Episodes, sets: readonly OpenSet[]): Record<string, string> {
  return Object.fromEntries(sets.map((set) => [set.name, scoring(set)]));
}

async function openSet(set: SetName, { split, seed, limit, data }: EvalOptions): Promise<OpenSet | MissingSet> {
  return set === "nano" ? openNano({ seed, split, count: limit ?? NANO_TASKS }) : openTestSet(set, data);
}

/** What decides the answers: a directory of an evaluation goes on only with the same. */
async function settingsOf(options: EvalOptions, sets: readonly OpenSet[], episodes: Episodes): Promise<object> {
  const { model, n, temperature, seed, limit = null, maxTokens, batch } = options;
  if ("directory" in model) await checkModelDirectory(model.directory);
  return {
    version: 1,
    model: "directory" in model ? await modelHash(model.directory) : { endpoint: model.endpoint, name: model.model },
    sets: Object.fromEntries(sets.map(({ name, content }) => [name, content])),
    sampling: { n, temperature, seed, maxTokens },
    limit,
    batch,
    ...episodes.settings,
    scoring: scoringOf(episodes, sets),
  };
}

async function withPolicy<T>(
  source: Policy | { readonly device: Device; readonly directory: string },
  work: (policy: Policy) => Promise<T>,
): Promise<T> {
  if (!("device" in source)) return work(source);
  const { device, directory } = source;
  const policy = await QwenVLPolicy.load(device, { directory }, { frozen: true });
  try {
    return await work(policy);
  } finally {
    policy.model.dispose();
  }
}

async function measureSets(
  policy: Policy,
  sets: readonly OpenSet[],
  episodes: Episodes,
  options: EvalOptions,
  paths: EvaluationPaths,
  { note, signal }: CliIo,
): Promise<Map<string, Measured>> {
  await using judge = episodes.judge && (await openJudge(episodes.judge, paths.verdicts));
  const inEnvironment = await Promise.all(
    sets.map(async (set) => ({ ...set, environment: await episodes.environment(set.name, judge?.judge) })),
  );
  return await evaluateSets(policy, inEnvironment, paths, {
    ...options,
    samples: options.n,
    apart: !("directory" in options.model),
    signal,
    onProgress: note,
  });
}
