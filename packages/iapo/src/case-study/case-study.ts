/**
 * The case study of the IAPO paper (4.2, Figure 3; specs `method` G.4): how often a policy takes a tool of the wrong axis on held-out charts,
 * and how much its calls rest on the definitions of right and of misused tools. For a student every few steps; for its teacher, which is the
 * reference line, once.
 */
import { distribution, type Partition } from "@iapo/attribution/math";
import { type Environment, type Policy, type RolloutOptions, rollout, type TaskSource } from "@iapo/grpo";
import type { Orientation, Task, Trace } from "@iapo/rollout-trace";
import { deriveSeed } from "@iapo/tensor-core";
import type { MethodSettings } from "../config/types.ts";
import { IapoError } from "../error.ts";
import type { AttributionModel, Call } from "../scoring/model.ts";
import { scoreCalls } from "../scoring/score.ts";
import { blockMethod } from "../scoring/settings.ts";
import { type CallTarget, findCall } from "../scoring/span.ts";
import { promptUnits } from "../scoring/units.ts";

/** Version of the result as JSON. */
export const caseStudyVersion = 1;

export interface CaseStudyParts {
  readonly policy: Policy;
  /** The same weights as the policy's. */
  readonly model: AttributionModel;
  readonly environment: Environment;
  /** Charts, each with its orientation. */
  readonly tasks: TaskSource;
}

/** Plain data. */
export interface CaseStudyOptions {
  readonly seed: number;
  /** The first so many charts of the source; 256 in the paper. */
  readonly charts: number;
  /** Sampled at T = 1 as in training: greedy, a student that knows the axis but is not sure of it shows no misuse. */
  readonly rollout: RolloutOptions;
  readonly target: CallTarget;
  readonly methods: readonly MethodSettings[];
  /** Names of the tools of each axis. */
  readonly tools: Readonly<Record<Orientation, readonly string[]>>;
}

export interface Mean {
  readonly mean: number;
  readonly standardError: number;
}

/** Of a method, over all calls: what definitions of the right axis' tools and of the other axis' are to them. */
export interface DefinitionScores {
  readonly method: MethodSettings;
  /** Calls that were explained. */
  readonly calls: number;
  /** Mean score of a token. Of occlusion: what is lost without the definitions, over their tokens. Null where there was no call. */
  readonly right: Mean | null;
  readonly misused: Mean | null;
  /** |mean score| over the sum of those of all blocks: comparable between steps, models and methods. */
  readonly rightShare: Mean | null;
  readonly misusedShare: Mean | null;
  /** Of integrated gradients: the mean share of the change that the scores miss. */
  readonly convergence: number | null;
}

/** Plain data: `JSON.stringify` writes it whole. */
export interface CaseStudy {
  readonly version: typeof caseStudyVersion;
  /** Responses; with one sample, as many as charts. */
  readonly responses: number;
  /** Responses that wrote a program. */
  readonly calls: number;
  /** Responses that called a tool of the wrong axis. */
  readonly misuse: number;
  /** Mean of each reward part: misuse says little without answers and names beside it. */
  readonly rewards: Readonly<Record<string, number>>;
  readonly definitions: readonly DefinitionScores[];
}

/**
 * A function of policy, tasks and options: the same seed gives the same charts and samples at every step.
 * @throws IapoError `argument` for a task without orientation, or a prompt without tools of an axis; what rollout and attribution throw
 */
export async function caseStudy(parts: CaseStudyParts, options: CaseStudyOptions): Promise<CaseStudy> {
  const { policy, environment, tasks, model } = parts;
  const count = Math.min(options.charts, tasks.length);
  const charts = await Promise.all(Array.from({ length: count }, (_, i) => tasks.task(i)));
  for (const chart of charts) orientationOf(chart);
  const place = { step: 0, seed: (...at: number[]) => deriveSeed(options.seed, "case_study", ...at) };
  const { groups } = await rollout(policy, environment, charts, options.rollout, place);
  const definitions: DefinitionScores[] = [];
  for (const method of options.methods) {
    const explained: Explained[] = [];
    for (const traces of groups) explained.push(...(await explainGroup(model, traces, method, options)));
    definitions.push(summaryOf(method, explained));
  }
  const traces = groups.flat();
  return {
    version: caseStudyVersion,
    responses: traces.length,
    calls: traces.filter(({ toolOutcomes }) => toolOutcomes.some(({ status }) => status !== "no_tool")).length,
    misuse: traces.filter((trace) => isMisuse(trace, options.tools)).length,
    rewards: meanRewards(traces),
    definitions,
  };
}

/** The numbers of a study by name, for a run's metrics: `case_study/misuse`, `case_study/ig/right`, ... */
export function caseStudyMetrics({
  responses,
  calls,
  misuse,
  rewards,
  definitions,
}: CaseStudy): Record<string, number> {
  const named: [string, number | undefined][] = [
    ["responses", responses],
    ["calls", calls],
    ["misuse", misuse],
    ...Object.entries(rewards).map(([part, value]): [string, number] => [`reward/${part}`, value]),
    ...definitions.flatMap(
      ({ method: { method }, right, misused, rightShare, misusedShare }): [string, number | undefined][] => [
        [`${method}/right`, right?.mean],
        [`${method}/misused`, misused?.mean],
        [`${method}/right_share`, rightShare?.mean],
        [`${method}/misused_share`, misusedShare?.mean],
      ],
    ),
  ];
  return Object.fromEntries(
    named.flatMap(([name, value]) => (value === undefined ? [] : [[`case_study/${name}`, value]])),
  );
}

interface Explained {
  readonly right: number;
  readonly misused: number;
  readonly rightShare: number;
  readonly misusedShare: number;
  readonly convergence: number | undefined;
}

/** The calls of one chart. */
async function explainGroup(
  model: AttributionModel,
  traces: readonly Trace[],
  settings: MethodSettings,
  { target, tools }: CaseStudyOptions,
): Promise<Explained[]> {
  const calls = traces
    .map(({ turns }) => findCall(turns[0]!, target, model))
    .filter((call): call is Call => call !== undefined);
  const [first] = traces;
  if (!first || calls.length === 0) return [];
  const axis = orientationOf(first.task);
  const units = promptUnits(first.blocks, first.turns[0]!, { kind: "tool_groups", groups: tools });
  const method = blockMethod(settings);
  const isOcclusion = method.kind === "occlusion";
  const results = await scoreCalls(model, calls, units, isOcclusion ? method : { ...method, blockReduce: "mean" });
  const [right, misused] = [axis, otherAxis(axis)].map((of) => unitOf(units, `tool:${of}`, first.task)) as [Unit, Unit];
  return results.map((result) => {
    const { blockScores, convergence } = result!;
    const shares = distribution(blockScores, { normaliser: "absL1", smoothing: 0 });
    const scoreOf = ({ index, tokens }: Unit): number => blockScores[index]! / (isOcclusion ? tokens : 1);
    return {
      right: scoreOf(right),
      misused: scoreOf(misused),
      rightShare: shares[right.index]!,
      misusedShare: shares[misused.index]!,
      convergence: convergence?.relative,
    };
  });
}

interface Unit {
  readonly index: number;
  readonly tokens: number;
}

function unitOf({ names, unitOfToken }: Partition, name: string, task: Task): Unit {
  const index = names.indexOf(name);
  const tokens = unitOfToken.filter((of) => of === index).length;
  if (index >= 0 && tokens > 0) return { index, tokens };
  throw new IapoError("argument", `the prompt of task ${task.id} defines no ${name}: check the names of the tools`);
}

function summaryOf(method: MethodSettings, explained: readonly Explained[]): DefinitionScores {
  const shares = explained.flatMap(({ convergence }) => convergence ?? []);
  return {
    method,
    calls: explained.length,
    right: meanWithError(explained.map(({ right }) => right)),
    misused: meanWithError(explained.map(({ misused }) => misused)),
    rightShare: meanWithError(explained.map(({ rightShare }) => rightShare)),
    misusedShare: meanWithError(explained.map(({ misusedShare }) => misusedShare)),
    convergence: meanWithError(shares)?.mean ?? null,
  };
}

function isMisuse({ task, toolOutcomes }: Trace, tools: CaseStudyOptions["tools"]): boolean {
  const wrong = tools[otherAxis(orientationOf(task))];
  return toolOutcomes.some((outcome) => outcome.tools.some((name) => wrong.includes(name)));
}

function orientationOf({ id, orientation }: Pick<Task, "id" | "orientation">): Orientation {
  if (orientation) return orientation;
  throw new IapoError(
    "argument",
    `task ${id} has no orientation: the case study takes charts that are divided one way`,
  );
}

function otherAxis(axis: Orientation): Orientation {
  return axis === "columns" ? "rows" : "columns";
}

function meanRewards(traces: readonly Trace[]): Record<string, number> {
  const parts = Map.groupBy(
    traces.flatMap(({ rewards }) => Object.entries(rewards)),
    ([part]) => part,
  );
  return Object.fromEntries(
    [...parts].map(([part, values]) => [part, values.reduce((sum, [, value]) => sum + value, 0) / values.length]),
  );
}

/** With the standard error; null for no values. */
function meanWithError(values: readonly number[]): Mean | null {
  const count = values.length;
  if (count === 0) return null;
  const mean = values.reduce((sum, value) => sum + value, 0) / count;
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return { mean, standardError: count > 1 ? Math.sqrt(squares / (count - 1) / count) : 0 };
}
