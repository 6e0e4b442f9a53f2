// The expensive half of a diagnosis: block scores of forced calls by student and teacher. Token scores are had once per method and give every
// partition; occlusion replaces whole blocks, so each partition of it is a run of its own, forward only.
import { blockScores, type Partition } from "@iapo/attribution/math";
import type { ImageRef, PromptBlock, Trajectory } from "@iapo/rollout-trace";
import { at } from "../at.ts";
import type { MethodSettings, PartitionSettings } from "../config/types.ts";
import { IapoError } from "../error.ts";
import type { AttributionModel, Call } from "../scoring/model.ts";
import { scoreCalls } from "../scoring/score.ts";
import { blockMethod, partitionOptions } from "../scoring/settings.ts";
import { type CallTarget, findCall, firstTurn } from "../scoring/span.ts";
import { promptUnits } from "../scoring/units.ts";
import { TokenizerCheck } from "../teacher/teacher.ts";
import type { DiagnoseGrid } from "./grid.ts";

export const callKinds = ["right", "wrong_axis", "wrong_names"] as const;
export type CallKind = (typeof callKinds)[number];

/** A chart, and calls on it that were not sampled but set down. Only first turns are read; all share the chart's prompt. */
export interface DiagnoseChart {
  readonly id: string;
  /** Of the prompt, in order. */
  readonly blocks: readonly PromptBlock<ImageRef>[];
  /** The right axis with the names asked for; the wrong axis with these names; the right axis with other names. */
  readonly calls: Readonly<Record<CallKind, Trajectory>>;
  /** What the teacher wrote itself; a chart without it is left out of cells with `teacher_call`. */
  readonly teacherCall?: Trajectory | undefined;
}

/** Block scores of one chart's calls; `own` is the teacher's own call. */
export interface ChartScores {
  readonly student: Readonly<Record<CallKind, Float64Array>>;
  readonly teacher: Readonly<Partial<Record<CallKind | "own", Float64Array>>>;
}

/** By method and partition of the grid, then by chart. */
export type Explained = readonly (readonly (readonly ChartScores[])[])[];

export interface DiagnoseModels {
  readonly student: AttributionModel;
  readonly teacher: AttributionModel;
}

export interface ExplainOptions {
  readonly target: CallTarget;
  /** Called after each chart. */
  readonly onChart?: ((done: number) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * @throws IapoError `argument` for a forced call without a program, `teacher` for one with another tokenizer where it is to explain them; the
 * reason of `signal`; what the models throw
 */
export async function explainCharts(
  models: DiagnoseModels,
  charts: Iterable<DiagnoseChart> | AsyncIterable<DiagnoseChart>,
  grid: DiagnoseGrid,
  { target, onChart, signal }: ExplainOptions,
): Promise<Explained> {
  const explained: ChartScores[][][] = grid.methods.map(() => grid.partitions.map(() => []));
  const tokenizers = new TokenizerCheck(models.student, models.teacher);
  const byTeacher = grid.teacherTargets.includes("student_call");
  let done = 0;
  for await (const chart of charts) {
    signal?.throwIfAborted();
    const forced = forcedCalls(chart, target, models.student);
    const ofTeacher = { ...(byTeacher && forced), ...ownCall(chart, target, models, grid) };
    if (byTeacher) for (const call of Object.values(forced)) tokenizers.check(call);
    for (const [m, method] of grid.methods.entries()) {
      const student = await everyPartition(models.student, forced, method, grid.partitions, chart);
      const teacher = await everyPartition(models.teacher, ofTeacher, method, grid.partitions, chart);
      for (const p of grid.partitions.keys()) {
        at(at(explained, m), p).push({ student: at(student, p), teacher: at(teacher, p) } as ChartScores);
      }
    }
    onChart?.(++done);
  }
  return explained;
}

type Calls = Readonly<Record<string, Call>>;

function forcedCalls({ id, calls }: DiagnoseChart, target: CallTarget, student: AttributionModel): Calls {
  return Object.fromEntries(
    callKinds.map((kind) => {
      const call = findCall(firstTurn(calls[kind]), target, student);
      if (call) return [kind, call];
      throw new IapoError("argument", `chart ${id}: the ${kind} call holds no program to be explained`);
    }),
  );
}

/** As a run has it: where the teacher made no call, all that it says is explained. */
function ownCall({ teacherCall }: DiagnoseChart, target: CallTarget, { teacher }: DiagnoseModels, grid: DiagnoseGrid) {
  const turn = teacherCall?.turns[0];
  if (!turn || !grid.teacherTargets.includes("teacher_call")) return undefined;
  return { own: findCall(turn, target, teacher) ?? { turn, targets: turn.lossMask } };
}

/** Scores of each call for each partition: `[partitions][call]`. */
async function everyPartition(
  model: AttributionModel,
  calls: Calls,
  settings: MethodSettings,
  partitions: readonly PartitionSettings[],
  { blocks }: DiagnoseChart,
): Promise<Record<string, Float64Array>[]> {
  const names = Object.keys(calls);
  const first = Object.values(calls)[0];
  if (!first) return partitions.map(() => ({}));
  const method = blockMethod(settings);
  const units = partitions.map((partition) => promptUnits(blocks, first.turn, partitionOptions(partition)));
  const scored = (unit: Partition) => scoreCalls(model, Object.values(calls), unit, method);
  const named = (scores: readonly Float64Array[]): Record<string, Float64Array> =>
    Object.fromEntries(names.map((name, i) => [name, at(scores, i)]));
  if (method.kind === "occlusion") {
    const all: Record<string, Float64Array>[] = [];
    for (const unit of units) all.push(named((await scored(unit)).map((result) => result.blockScores)));
    return all;
  }
  const tokens = (await scored(at(units, 0))).map(({ tokenScores = new Float64Array() }) => tokenScores);
  return units.map((unit) => named(tokens.map((scores) => blockScores(scores, unit, method.blockReduce ?? "mean"))));
}
