// The expensive half of a diagnosis: block scores of forced calls by student and teacher. Token scores are had once per method and give every
// partition; occlusion replaces whole blocks, so each partition of it is a run of its own, forward only.
import type { BlockAttribution } from "@iapo/attribution";
import { blockScores, type Partition } from "@iapo/attribution/math";
import type { ImageRef, PromptBlock, Trajectory } from "@iapo/rollout-trace";
import { at } from "../at.ts";
import { writesCalls } from "../config/compare.ts";
import type { MethodSettings, PartitionSettings } from "../config/types.ts";
import { IapoError } from "../error.ts";
import type { AttributionModel, Call } from "../scoring/model.ts";
import { scoreCalls } from "../scoring/score.ts";
import { blockMethod, partitionOptions } from "../scoring/settings.ts";
import { type CallTarget, findCall, firstTurn } from "../scoring/span.ts";
import { promptUnits } from "../scoring/units.ts";
import { TokenizerCheck } from "../teacher/teacher.ts";
import type { DiagnoseGrid } from "./grid.ts";

export const callKinds = ["right", "other_right", "wrong_axis", "wrong_names"] as const;
export type CallKind = (typeof callKinds)[number];

/** A chart, and calls on it that were not sampled but set down. Only first turns are read; all share the chart's prompt. */
export interface DiagnoseChart {
  readonly id: string;
  /** Of the prompt, in order. */
  readonly blocks: readonly PromptBlock<ImageRef>[];
  /** The right axis with the names asked for, by one effect and by another; the wrong axis with these names; the right axis with other names. */
  readonly calls: Readonly<Record<CallKind, Trajectory>>;
  /** What the teacher wrote itself; a chart without it is left out of cells with `teacher_call`. */
  readonly teacherCall?: Trajectory | undefined;
}

/** What one model says of one chart's calls: block scores, and log-probs of the calls' tokens. */
export interface ModelScores {
  readonly scores: Readonly<Record<string, Float64Array>>;
  readonly logProbs: Readonly<Record<string, number>>;
}

/** The same by method and partition of the grid. */
export type ChartByModel = readonly (readonly ModelScores[])[];

/** Block scores of one chart's calls; `own` is the teacher's own call. */
export interface ChartScores {
  readonly student: Readonly<Record<CallKind, Float64Array>>;
  readonly teacher: Readonly<Partial<Record<CallKind | "own", Float64Array>>>;
  /** Of the calls' tokens, under the teacher; for the comparisons that ask for them. */
  readonly logProbs?: Readonly<Partial<Record<CallKind, number>>> | undefined;
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
  const done: { readonly student: ChartByModel; readonly teacher: ChartByModel }[] = [];
  for await (const chart of charts) {
    signal?.throwIfAborted();
    const explain = (side: Side) => explainChart(models, side, chart, grid, target);
    done.push({ student: await explain("student"), teacher: await explain("teacher") });
    onChart?.(done.length);
  }
  return explainedBy(
    done.map(({ student }) => student),
    done.map(({ teacher }) => teacher),
    grid,
  );
}

export type Side = "student" | "teacher";

/** What one of the models says of the calls that the grid's comparisons ask it about. @throws as {@link explainCharts} */
export async function explainChart(
  models: DiagnoseModels,
  side: Side,
  chart: DiagnoseChart,
  grid: DiagnoseGrid,
  target: CallTarget,
): Promise<ChartByModel> {
  const forced = forcedCalls(chart, target, models.student);
  const isStudents = side === "student";
  if (!isStudents && readsForced(grid)) {
    const tokenizers = new TokenizerCheck(models.student, models.teacher);
    for (const call of Object.values(forced)) tokenizers.check(call);
  }
  const read = !isStudents && readsForced(grid) && readBy(models.teacher, forced, chart);
  const calls = isStudents ? forced : { ...read, ...ownCall(chart, target, models, grid) };
  const made: ModelScores[][] = [];
  for (const method of grid.methods)
    made.push(await everyPartition(models[side], calls, method, grid.partitions, chart));
  return made;
}

/** Whether the teacher explains calls that are not its own. */
function readsForced({ comparisons, logProb }: DiagnoseGrid): boolean {
  return (
    logProb || comparisons.some((one) => one.compare !== "student_with_teacher" || one.teacherTarget === "student_call")
  );
}

/** What both models say, chart by chart. */
export function explainedBy(
  student: readonly ChartByModel[],
  teacher: readonly ChartByModel[],
  grid: DiagnoseGrid,
): Explained {
  return grid.methods.map((_, m) =>
    grid.partitions.map((_, p) =>
      student.map((chart, i): ChartScores => {
        const [own, other] = [at(at(chart, m), p), at(at(at(teacher, i), m), p)];
        return { student: own.scores, teacher: other.scores, logProbs: other.logProbs } as ChartScores;
      }),
    ),
  );
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

/** The forced calls as the teacher reads them, behind its own rendering of the prompt. */
function readBy(teacher: AttributionModel, calls: Calls, { blocks }: DiagnoseChart): Calls {
  const read = teacher.reread(Object.values(calls), blocks);
  return Object.fromEntries(Object.keys(calls).map((name, i) => [name, at(read, i)]));
}

/** As a run has it: where the teacher made no call, all that it says is explained. */
function ownCall({ teacherCall }: DiagnoseChart, target: CallTarget, { teacher }: DiagnoseModels, grid: DiagnoseGrid) {
  const turn = teacherCall?.turns[0];
  if (!turn || !grid.comparisons.some(writesCalls)) return undefined;
  return { own: findCall(turn, target, teacher) ?? { turn, targets: turn.lossMask } };
}

/** Scores of each call for each partition. */
async function everyPartition(
  model: AttributionModel,
  calls: Calls,
  settings: MethodSettings,
  partitions: readonly PartitionSettings[],
  { blocks }: DiagnoseChart,
): Promise<ModelScores[]> {
  const names = Object.keys(calls);
  const first = Object.values(calls)[0];
  if (!first) return partitions.map(() => ({ scores: {}, logProbs: {} }));
  const method = blockMethod(settings);
  const units = partitions.map((partition) => promptUnits(blocks, first.turn, partitionOptions(partition)));
  const scored = (unit: Partition) => scoreCalls(model, Object.values(calls), unit, method);
  const named = (
    results: readonly BlockAttribution[],
    scoresOf: (result: BlockAttribution) => Float64Array,
  ): ModelScores => ({
    scores: Object.fromEntries(names.map((name, i) => [name, scoresOf(at(results, i))])),
    logProbs: Object.fromEntries(names.map((name, i) => [name, at(results, i).targetLogProb])),
  });
  if (method.kind === "occlusion") {
    const all: ModelScores[] = [];
    for (const unit of units) all.push(named(await scored(unit), ({ blockScores }) => blockScores));
    return all;
  }
  const { blockReduce = "mean" } = method;
  const results = await scored(at(units, 0));
  return units.map((unit) =>
    named(results, ({ tokenScores = new Float64Array() }) => blockScores(tokenScores, unit, blockReduce)),
  );
}
