// iapo eval: a model on held-out tasks, resumable; rates with intervals, and the paper's Table 1.
import { basename, resolve } from "node:path";
import {
  type EndpointOptions,
  type EvaluationPaths,
  endpointPolicy,
  evaluateSet,
  groupsOf,
  type JudgeSettings,
  type Measured,
  measure,
  metricTable,
  openEvaluation,
  openJudge,
  tableOne,
  tableOneCsv,
  tableOneText,
} from "@iapo/evaluation";
import type { Environment, Policy } from "@iapo/rollout-trace";
import { writeFileAtomic } from "@iapo/rollout-trace/files";
import { openDevice } from "@iapo/tensor-core";
import { createEnvironment, type EnvironmentPreset, environmentPresets } from "@iapo/vqa-tasks";
import type { NanoSplit } from "@iapo/vqa-tasks/nano";
import type { Judge } from "@iapo/vqa-tasks/scoring";
import { type MissingSet, type OpenSet, openNano, openTestSet, type SetName } from "@iapo/vqa-tasks/sources";
import { TrainerError } from "../error.ts";
import { ExitCode } from "../exit-codes.ts";
import type { CliIo } from "../io.ts";
import { lockDirectory } from "../run/lock.ts";
import { checkModelDirectory, modelHash, openLocalModel } from "./local-model.ts";

export interface EvalOptions {
  /** A model's directory; or an endpoint. */
  readonly model: string | undefined;
  readonly endpoint: Omit<EndpointOptions, "maxTokens"> | undefined;
  readonly sets: readonly SetName[];
  /** Of nano-charts. */
  readonly split: NanoSplit;
  readonly data: string | undefined;
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

const NANO_TASKS = 256;

interface Evaluation {
  /** The model's. */
  readonly name: string;
  readonly measured: ReadonlyMap<string, Measured>;
  readonly missing: readonly MissingSet[];
  /** Where results and traces lie. */
  readonly directory: string;
}

/** Evaluates, or goes on where it stopped; undefined where it was interrupted. */
async function runEvaluation(options: EvalOptions, io: CliIo): Promise<Evaluation | undefined> {
  const { model, endpoint, sets, seed } = options;
  const name = model === undefined ? endpoint!.model : basename(resolve(model));
  const opened = await Promise.all(sets.map((set) => openSet(set, options)));
  const present = opened.filter((set): set is OpenSet => "tasks" in set);
  const missing = opened.filter((set): set is MissingSet => "missing" in set);
  for (const { name: set, missing: what } of missing) io.note(`${set} is missing: ${what}`);
  if (present.length === 0) throw new TrainerError("missing", `none of the sets ${sets.join(", ")} can be evaluated`);

  const directory = options.out ?? `runs/eval-${name.replace(/[^\w.-]/g, "-")}`;
  const settings = await settingsOf(options, present);
  if (model !== undefined) (await openDevice()).close(); // without an adapter nothing is begun
  const lock = await lockDirectory(directory);
  const paths = await openEvaluation(directory, settings).catch(async (error: unknown) => {
    await lock.release();
    throw error;
  });
  const finished = await withPolicy(options, async (policy) => runSets(policy, present, options, paths, io)).finally(
    () => lock.release(),
  );
  if (!finished) {
    io.note(`interrupted; the same command goes on where it stopped: ${directory}`);
    return undefined;
  }
  const measured = new Map<string, Measured>();
  for (const set of present) measured.set(set.name, measure(await groupsOf(paths.traces(set.name)), seed));
  const table = tableOne(measured);
  const results = { model: name, sets: Object.fromEntries(measured), missing, table1: table };
  await writeFileAtomic(paths.results, `${JSON.stringify(results, null, 2)}\n`);
  await writeFileAtomic(paths.table, tableOneCsv(name, table));
  return { name, measured, missing, directory };
}

/** iapo eval. */
export async function evaluate(options: EvalOptions, io: CliIo): Promise<number> {
  const evaluation = await runEvaluation(options, io);
  if (!evaluation) return ExitCode.interrupted;
  const { name, measured, missing, directory } = evaluation;
  if (options.json) {
    io.out(
      JSON.stringify({ model: name, sets: Object.fromEntries(measured), missing, table1: tableOne(measured) }, null, 2),
    );
    return ExitCode.done;
  }
  for (const [set, values] of measured) io.out(metricTable(set, values));
  if (options.sets.some((set) => set !== "nano")) io.out(`\n${tableOneText(name, measured, missing)}`);
  io.out(`traces and results: ${directory}`);
  return ExitCode.done;
}

async function openSet(set: SetName, { split, seed, limit, data }: EvalOptions): Promise<OpenSet | MissingSet> {
  return set === "nano" ? openNano({ seed, split, count: limit ?? NANO_TASKS }) : openTestSet(set, data);
}

/** What decides the answers: a directory of an evaluation goes on only with the same. */
async function settingsOf(options: EvalOptions, sets: readonly OpenSet[]): Promise<object> {
  const { model, endpoint, n, temperature, seed, limit = null, maxTokens, batch, preset, prompt = null } = options;
  if (model !== undefined) await checkModelDirectory(model);
  const judge = options.judge && { endpoint: options.judge.endpoint, model: options.judge.model };
  return {
    version: 1,
    model: model === undefined ? { endpoint: endpoint!.endpoint, name: endpoint!.model } : await modelHash(model),
    sets: Object.fromEntries(sets.map(({ name, content }) => [name, content])),
    sampling: { n, temperature, seed, maxTokens },
    limit,
    batch,
    environment: { preset, prompt },
    judge: judge ?? null,
  };
}

async function withPolicy<T>(options: EvalOptions, work: (policy: Policy) => Promise<T>): Promise<T> {
  const { model, endpoint, maxTokens } = options;
  if (model === undefined) return work(endpointPolicy({ ...endpoint!, maxTokens }));
  using device = await openDevice();
  const policy = await openLocalModel(device, model);
  try {
    return await work(policy);
  } finally {
    policy.model.dispose();
  }
}

/** False where it was interrupted. */
async function runSets(
  policy: Policy,
  sets: readonly OpenSet[],
  options: EvalOptions,
  paths: EvaluationPaths,
  { note, signal }: CliIo,
): Promise<boolean> {
  await using judge = options.judge && (await openJudge(options.judge, paths.verdicts));
  for (const { name, tasks, stated } of sets) {
    const limit = Math.min(options.limit ?? Number.POSITIVE_INFINITY, stated);
    let taken = 0;
    try {
      await evaluateSet({
        policy,
        environment: environmentOf(name, options, judge?.judge),
        tasks: tasks(),
        directory: paths.traces(name),
        name,
        seed: options.seed,
        limit,
        samples: options.n,
        temperature: options.temperature,
        maxTokens: options.maxTokens,
        batch: options.batch,
        signal,
        onBatch: (done, isNew) => {
          taken = done;
          if (isNew) note(`${name}: ${done} of ${limit} tasks`);
        },
      });
    } catch (error) {
      if (signal.aborted) return false;
      throw error;
    }
    if (taken < limit) note(`${name}: ${limit - taken} of ${limit} tasks were left out: their pictures cannot be had`);
  }
  return true;
}

function environmentOf(
  set: SetName,
  { preset, prompt, judge: settings }: EvalOptions,
  judge: Judge | undefined,
): Environment {
  const base = environmentPresets[preset];
  const scoring = { ...base.scoring, scoring: settings ? ("judge" as const) : ("relaxed" as const) };
  return createEnvironment({
    preset,
    options: { scoring, prompt: prompt ?? (set === "nano" ? "compact" : "full") },
    judge,
  });
}
