// A policy on several sets, and what it came to in one file.
import { readFile } from "node:fs/promises";
import type { Environment, Policy } from "@iapo/rollout-trace";
import { problemOf } from "@iapo/rollout-trace";
import { writeFileAtomic } from "@iapo/rollout-trace/files";
import type { MissingSet, OpenSet } from "@iapo/vqa-tasks/sources";
import { z } from "zod";
import type { EvaluationPaths } from "./directory.ts";
import { EvaluationError } from "./error.ts";
import { evaluateSet, type SetEvaluation } from "./evaluate-set.ts";
import { type Measured, type MetricName, measure, metricNames } from "./metrics.ts";
import { type TableOne, tableOne, tableOneCsv } from "./tables.ts";

export interface EvaluationOptions
  extends Pick<SetEvaluation, "seed" | "samples" | "temperature" | "maxTokens" | "batch" | "signal" | "apart"> {
  /** Tasks of each set at most. */
  readonly limit?: number | undefined;
  /** Hears how far it is, and which tasks fail or are left out. */
  onProgress(text: string): void;
}

/**
 * What is done already is not done again.
 * @returns by name of the set
 * @throws as {@link evaluateSet}
 */
export async function evaluateSets(
  policy: Policy,
  sets: readonly (OpenSet & { readonly environment: Environment })[],
  paths: EvaluationPaths,
  options: EvaluationOptions,
): Promise<Map<string, Measured>> {
  const { onProgress } = options;
  const measured = new Map<string, Measured>();
  for (const { name, tasks, stated, environment } of sets) {
    const limit = Math.min(options.limit ?? Number.POSITIVE_INFINITY, stated);
    let taken = 0;
    const { groups, failed } = await evaluateSet({
      ...options,
      ...{ policy, environment, name, limit },
      tasks: tasks(),
      directory: paths.traces(name),
      onBatch: (done, isNew) => {
        taken = done;
        if (isNew) onProgress(`${name}: ${done} of ${limit} tasks`);
      },
      onFailed: ({ task, reason }) => onProgress(`${name}: task ${task} failed and is not counted: ${reason}`),
    });
    if (taken < limit)
      onProgress(`${name}: ${limit - taken} of ${limit} tasks were left out: their pictures cannot be had`);
    measured.set(name, measure(groups, options.seed, failed));
  }
  return measured;
}

/** What `results.json` holds. */
export interface EvaluationResults {
  readonly model: string;
  /** By name of the set. */
  readonly sets: Readonly<Record<string, Measured>>;
  readonly missing: readonly MissingSet[];
  /** The rule by which answers were scored, by name of the set. */
  readonly scoring: Readonly<Record<string, string>>;
  readonly table1: TableOne;
}

export async function writeResults(
  paths: EvaluationPaths,
  model: string,
  measured: ReadonlyMap<string, Measured>,
  missing: readonly MissingSet[],
  scoring: Readonly<Record<string, string>>,
): Promise<EvaluationResults> {
  const table1 = tableOne(measured);
  const results = { model, sets: Object.fromEntries(measured), missing, scoring, table1 };
  await writeFileAtomic(paths.results, `${JSON.stringify(results, null, 2)}\n`);
  await writeFileAtomic(paths.table, tableOneCsv(model, table1));
  return results;
}

export const estimateSchema = z.object({
  value: z.number().nullable(),
  interval: z.tuple([z.number(), z.number()]).nullable(),
});

const measuredSchema: z.ZodType<Measured> = z.object({
  tasks: z.int(),
  responses: z.int(),
  failed: z.array(z.object({ task: z.string(), reason: z.string() })),
  metrics: z.object(
    Object.fromEntries(metricNames.map((name) => [name, estimateSchema])) as Record<MetricName, typeof estimateSchema>,
  ),
});

const resultsSchema = z.object({ sets: z.record(z.string(), measuredSchema) });

/** The sets of a `results.json`; undefined where there is no such file. @throws EvaluationError `invalid` */
export async function readResults(file: string): Promise<EvaluationResults["sets"] | undefined> {
  try {
    return resultsSchema.parse(JSON.parse(await readFile(file, "utf8"))).sets;
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    const problem = problemOf(cause);
    throw new EvaluationError("invalid", `${file} is not the result of an evaluation: ${problem}; delete it`, {
      cause,
    });
  }
}
