// What the definitions of right and of misused tools are to a policy's calls.
import { distribution, type Partition } from "@iapo/attribution/math";
import type { Image, Trace } from "@iapo/rollout-trace";
import type { Orientation } from "@iapo/visual-tools";
import type { VisualContent, VisualTask } from "@iapo/vqa-tasks";
import { at } from "../at.ts";
import type { MethodSettings } from "../config/types.ts";
import { IapoError } from "../error.ts";
import type { AttributionModel } from "../scoring/model.ts";
import { scoreCalls } from "../scoring/score.ts";
import { blockMethod } from "../scoring/settings.ts";
import { type CallTarget, findCall, firstTurn } from "../scoring/span.ts";
import { promptUnits } from "../scoring/units.ts";

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

interface DefinitionOptions {
  readonly target: CallTarget;
  /** Names of the tools of each axis. */
  readonly tools: Readonly<Record<Orientation, readonly string[]>>;
}

/** Of the first turns of groups of traces, each group of one chart. */
export async function definitionScores(
  model: AttributionModel,
  groups: readonly (readonly Trace<Image, VisualContent>[])[],
  method: MethodSettings,
  options: DefinitionOptions,
): Promise<DefinitionScores> {
  const explained: Explained[] = [];
  for (const traces of groups) explained.push(...(await explainGroup(model, traces, method, options)));
  return summaryOf(method, explained);
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
  traces: readonly Trace<Image, VisualContent>[],
  settings: MethodSettings,
  { target, tools }: DefinitionOptions,
): Promise<Explained[]> {
  const calls = traces.flatMap((trace) => findCall(firstTurn(trace), target, model) ?? []);
  const [first] = traces;
  if (!first || calls.length === 0) return [];
  const axis = orientationOf(first.task);
  const units = promptUnits(first.blocks, firstTurn(first), { kind: "tool_groups", groups: tools });
  const method = blockMethod(settings);
  const isOcclusion = method.kind === "occlusion";
  const results = await scoreCalls(model, calls, units, isOcclusion ? method : { ...method, blockReduce: "mean" });
  const [right, misused] = [axis, otherAxis(axis)].map((of) => unitOf(units, `tool:${of}`, first.task)) as [Unit, Unit];
  return results.map(({ blockScores, convergence }) => {
    const shares = distribution(blockScores, { normalizer: "absL1", smoothing: 0 });
    const scoreOf = ({ index, tokens }: Unit): number => at(blockScores, index) / (isOcclusion ? tokens : 1);
    return {
      right: scoreOf(right),
      misused: scoreOf(misused),
      rightShare: at(shares, right.index),
      misusedShare: at(shares, misused.index),
      convergence: convergence?.relative,
    };
  });
}

interface Unit {
  readonly index: number;
  readonly tokens: number;
}

function unitOf({ names, unitOfToken }: Partition, name: string, { id }: VisualTask): Unit {
  const index = names.indexOf(name);
  const tokens = unitOfToken.filter((of) => of === index).length;
  if (index >= 0 && tokens > 0) return { index, tokens };
  throw new IapoError("argument", `the prompt of task ${id} defines no ${name}: check the names of the tools`);
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

/** @throws IapoError `argument` for a task without one */
export function orientationOf({ id, content: { orientation } }: VisualTask): Orientation {
  if (orientation) return orientation;
  throw new IapoError(
    "argument",
    `task ${id} has no orientation: the case study takes charts that are divided one way`,
  );
}

export function otherAxis(axis: Orientation): Orientation {
  return axis === "columns" ? "rows" : "columns";
}

/** With the standard error; null for no values. */
function meanWithError(values: readonly number[]): Mean | null {
  const count = values.length;
  if (count === 0) return null;
  const mean = values.reduce((sum, value) => sum + value, 0) / count;
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return { mean, standardError: count > 1 ? Math.sqrt(squares / (count - 1) / count) : 0 };
}
