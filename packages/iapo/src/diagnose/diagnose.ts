// Before a run: can the penalty be trusted? On charts with a right call, one on the wrong axis and one with wrong names, how often a faulty
// call costs more than the right one, for every setting of a grid. Where it costs less, a policy that is trained on it learns the fault
// (docs/method.md K.2).
import { type Resamples, resample } from "@iapo/evaluation/statistics";
import { at } from "../at.ts";
import type { PenaltySettings } from "../config/types.ts";
import { IapoError } from "../error.ts";
import { callDivergence } from "../penalty/divergence.ts";
import type { CallTarget } from "../scoring/span.ts";
import type { CallKind, ChartScores, Explained } from "./explain.ts";
import { type CellSettings, type DiagnoseGrid, methodLabel } from "./grid.ts";
import { type Estimate, meanOf, pairedAuc, pooledAuc } from "./statistics.ts";

/** Version of the result as JSON. */
export const diagnosisVersion = 1;

export const faults = ["wrong_axis", "wrong_names"] as const;
export type Fault = (typeof faults)[number];

/** What all cells share. */
export interface DiagnoseOptions extends Omit<PenaltySettings, "normalize" | "noCallPenalty"> {
  readonly target: CallTarget;
  /** Resamples of the charts for intervals. */
  readonly replicates: number;
  readonly seed: number;
}

/** How a fault compares with the right call. */
export interface Separation {
  /** Mean penalty D of the faulty calls. */
  readonly mean: number;
  /** Against the right call of the same chart. */
  readonly paired: Estimate;
  /** Against the right calls of all charts. */
  readonly pooled: Estimate;
}

export interface DiagnosedCell {
  readonly settings: CellSettings;
  /** That count: with `teacher_call`, only those with a call of the teacher's own. */
  readonly charts: number;
  /** Mean penalty D of the right calls. */
  readonly right: number;
  readonly faults: Readonly<Record<Fault, Separation>>;
}

/** Plain data: `JSON.stringify` writes it whole. */
export interface Diagnosis {
  readonly version: typeof diagnosisVersion;
  readonly charts: number;
  readonly options: DiagnoseOptions;
  readonly cells: readonly DiagnosedCell[];
  /** Index of the cell whose weaker fault is distinguished best; null where no cell distinguishes both for certain. */
  readonly recommended: number | null;
  readonly warnings: readonly string[];
}

/**
 * The cheap half: every cell of the grid from the block scores of {@link explainCharts}.
 * @throws IapoError `argument` where there are no charts
 */
export function diagnose(explained: Explained, grid: DiagnoseGrid, options: DiagnoseOptions): Diagnosis {
  const charts = explained[0]?.[0]?.length ?? 0;
  if (charts === 0) throw new IapoError("argument", "a diagnosis needs at least one chart, method and partition");
  const resamplesOf = memoized((count) => resample(count, options.replicates, options.seed, "bootstrap"));
  const cells = settingsOf(grid).flatMap(({ method, partition, settings }) => {
    const scores = at(at(explained, method), partition);
    return cellOf(scores, settings, options, resamplesOf) ?? [];
  });
  const recommended = recommend(cells);
  return { version: diagnosisVersion, charts, options, cells, recommended, warnings: warningsOf(cells, recommended) };
}

function settingsOf({ methods, partitions, normalizers, teacherTargets }: DiagnoseGrid) {
  return methods.flatMap((ofMethod, method) =>
    teacherTargets.flatMap((teacherTarget) =>
      partitions.flatMap((ofPartition, partition) =>
        normalizers.map((normalize) => {
          const settings: CellSettings = { ...ofMethod, ...ofPartition, normalize, teacherTarget };
          return { method, partition, settings };
        }),
      ),
    ),
  );
}

/** Undefined where no chart has a call of the teacher's own and the cell needs one. */
function cellOf(
  scores: readonly ChartScores[],
  settings: CellSettings,
  options: DiagnoseOptions,
  resamplesOf: (charts: number) => Resamples,
): DiagnosedCell | undefined {
  const penalty: PenaltySettings = { ...options, normalize: settings.normalize, noCallPenalty: "zero" };
  const used = scores.filter(({ teacher }) => settings.teacherTarget === "student_call" || teacher.own);
  if (used.length === 0) return undefined;
  const divergences = (kind: CallKind): number[] =>
    used.map(({ student, teacher }) => {
      const reference = settings.teacherTarget === "teacher_call" ? teacher.own : teacher[kind];
      if (!reference) throw new IapoError("argument", `a chart's ${kind} call was not scored by the teacher`);
      return callDivergence(student[kind], reference, penalty);
    });
  const rights = divergences("right");
  const resamples = resamplesOf(used.length);
  const separation = (values: readonly number[]): Separation => ({
    mean: meanOf(values),
    paired: pairedAuc(values, rights, resamples),
    pooled: pooledAuc(values, rights, resamples),
  });
  return {
    settings,
    charts: used.length,
    right: meanOf(rights),
    faults: {
      wrong_axis: separation(divergences("wrong_axis")),
      wrong_names: separation(divergences("wrong_names")),
    },
  };
}

/** Groups compare calls on the same chart, so the paired areas decide, the pooled ones where these are equal. */
function recommend(cells: readonly DiagnosedCell[]): number | null {
  const weakest = (cell: DiagnosedCell, kind: "paired" | "pooled"): number =>
    Math.min(...faults.map((fault) => cell.faults[fault][kind].auc));
  const certain = [...cells.entries()].filter(([, cell]) =>
    faults.every((fault) => cell.faults[fault].paired.low > 0.5),
  );
  const [best] = certain.sort(
    ([, a], [, b]) => weakest(b, "paired") - weakest(a, "paired") || weakest(b, "pooled") - weakest(a, "pooled"),
  );
  return best?.[0] ?? null;
}

/** Whether the fault costs less than the right call more often than not: a reward with this penalty can be hacked. */
export function isCheaper({ paired }: Separation): boolean {
  return paired.auc < 0.5;
}

function warningsOf(cells: readonly DiagnosedCell[], recommended: number | null): string[] {
  const cheaper = cells.flatMap(({ settings, faults: found }) =>
    faults
      .filter((fault) => isCheaper(found[fault]))
      .map((fault) => {
        const { auc, low, high } = found[fault].paired;
        const [value, from, to] = [auc, low, high].map((number) => number.toFixed(2));
        return `${labelOf(settings)}: a call with the ${fault.replace("_", " ")} costs less than the right one (AUC ${value}, ${from} to ${to}); a policy can raise its reward by this fault`;
      }),
  );
  const none = "no setting tells both faults from right calls for certain; do not train with a penalty on these models";
  return recommended === null ? [...cheaper, none] : cheaper;
}

/** Such as `occlusion, student_call, per_tool, absL1`. */
export function labelOf(settings: CellSettings): string {
  return [methodLabel(settings), settings.teacherTarget, settings.partition, settings.normalize].join(", ");
}

function memoized<T>(make: (key: number) => T): (key: number) => T {
  const made = new Map<number, T>();
  return (key) => {
    const known = made.get(key);
    if (known !== undefined) return known;
    const value = make(key);
    made.set(key, value);
    return value;
  };
}
