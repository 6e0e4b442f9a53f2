// Before a run: can the penalty be trusted? On charts with right calls, one on the wrong axis and one with wrong names, how often a faulty
// call costs more than the right one, for every setting of a grid. Where it costs less, a policy that is trained on it learns the fault
// (docs/method.md K.2).
import { type Resamples, resample } from "@iapo/evaluation/statistics";
import { at } from "../at.ts";
import { writesCalls } from "../config/compare.ts";
import type { PenaltySettings } from "../config/types.ts";
import { IapoError } from "../error.ts";
import { callDivergence } from "../penalty/divergence.ts";
import type { CallTarget } from "../scoring/span.ts";
import { type CallKind, type ChartScores, callKinds, type Explained } from "./explain.ts";
import { type CellSettings, comparisonLabel, type DiagnoseGrid, isAttribution } from "./grid.ts";
import { type Estimate, meanOf, pairedAuc, pooledAuc } from "./statistics.ts";

/** Version of the result as JSON. */
export const diagnosisVersion = 2;

/** A cell is recommended where it tells both faults apart so well in every state of the student: P(D of the fault > D of the right call). */
const LEAST_AREA = 0.8;

export const faults = ["wrong_axis", "wrong_names"] as const;
export type Fault = (typeof faults)[number];

/** What all cells share. */
export interface DiagnoseOptions extends Omit<PenaltySettings, "normalize" | "noCallPenalty"> {
  readonly target: CallTarget;
  /** Resamples of the charts for intervals. */
  readonly replicates: number;
  readonly seed: number;
}

/** A student that is judged, such as one that training has biased, and what it and the teacher say of the calls. */
export interface DiagnosedState {
  readonly name: string;
  readonly explained: Explained;
}

/** How a fault compares with the right call, in one state of the student. */
export interface Separation {
  readonly state: string;
  /** Mean penalty D of the right calls. */
  readonly right: number;
  /** Mean penalty D of the faulty calls. */
  readonly mean: number;
  /** Against the right call of the same chart. */
  readonly paired: Estimate;
  /** Against the right calls of all charts. */
  readonly pooled: Estimate;
}

export interface DiagnosedCell {
  readonly settings: CellSettings;
  /** That count: where the teacher's own calls are compared with, only those that have one. */
  readonly charts: number;
  /** In the state in which the fault is told apart worst. */
  readonly faults: Readonly<Record<Fault, Separation>>;
  /** In every state. */
  readonly states: readonly Readonly<Record<Fault, Separation>>[];
}

/** Plain data: `JSON.stringify` writes it whole. */
export interface Diagnosis {
  readonly version: typeof diagnosisVersion;
  readonly charts: number;
  /** Names of the student's states. */
  readonly states: readonly string[];
  readonly options: DiagnoseOptions;
  readonly cells: readonly DiagnosedCell[];
  /** Index of the cell whose weaker fault is distinguished best in its worst state; null where no cell distinguishes both well in all. */
  readonly recommended: number | null;
  readonly warnings: readonly string[];
}

/**
 * The cheap half: every cell of the grid from the block scores of {@link explainCharts}, for each state of the student.
 * @throws IapoError `argument` where there are no states or no charts
 */
export function diagnose(states: readonly DiagnosedState[], grid: DiagnoseGrid, options: DiagnoseOptions): Diagnosis {
  const charts = states[0]?.explained[0]?.[0]?.length ?? 0;
  if (charts === 0) throw new IapoError("argument", "a diagnosis needs at least one chart, method and partition");
  const resamplesOf = memoized((count) => resample(count, options.replicates, options.seed, "bootstrap"));
  const cells = settingsOf(grid).flatMap(({ method, partition, settings }) => {
    const made = states.flatMap(({ name, explained }) => {
      const found = separations(name, at(at(explained, method), partition), settings, options, resamplesOf);
      return found ?? [];
    });
    return cellOf(settings, made) ?? [];
  });
  const recommended = recommend(cells);
  const warnings = warningsOf(cells, recommended);
  const names = states.map(({ name }) => name);
  return { version: diagnosisVersion, charts, states: names, options, cells, recommended, warnings };
}

interface PlacedSettings {
  readonly method: number;
  readonly partition: number;
  readonly settings: CellSettings;
}

function settingsOf({ methods, partitions, normalizers, comparisons, logProb }: DiagnoseGrid): PlacedSettings[] {
  const cells = methods.flatMap((ofMethod, method) =>
    comparisons.flatMap((comparison) =>
      partitions.flatMap((ofPartition, partition) =>
        normalizers.map((normalize) => {
          const settings: CellSettings = { ...ofMethod, ...ofPartition, normalize, ...comparison };
          return { method, partition, settings };
        }),
      ),
    ),
  );
  return logProb ? [...cells, { method: 0, partition: 0, settings: { compare: "teacher_log_prob" } }] : cells;
}

interface StateSeparations {
  readonly charts: number;
  readonly faults: Readonly<Record<Fault, Separation>>;
}

function cellOf(settings: CellSettings, states: readonly StateSeparations[]): DiagnosedCell | undefined {
  const [first] = states;
  if (!first) return undefined;
  const worst = (fault: Fault): Separation =>
    states
      .map((state) => state.faults[fault])
      .reduce((low, one) => (one.paired.auc < low.paired.auc ? one : low), first.faults[fault]);
  return {
    settings,
    charts: first.charts,
    faults: { wrong_axis: worst("wrong_axis"), wrong_names: worst("wrong_names") },
    states: states.map(({ faults: found }) => found),
  };
}

/** Undefined where no chart has a call of the teacher's own and the cell needs one. */
function separations(
  state: string,
  scores: readonly ChartScores[],
  settings: CellSettings,
  options: DiagnoseOptions,
  resamplesOf: (charts: number) => Resamples,
): StateSeparations | undefined {
  const needsOwn = isAttribution(settings) && writesCalls(settings);
  const used = scores.filter(({ teacher }) => !needsOwn || teacher.own);
  if (used.length === 0) return undefined;
  const penalties = (kind: CallKind): number[] => used.map((chart) => penaltyOf(chart, kind, settings, options));
  const rights = penalties("right");
  const resamples = resamplesOf(used.length);
  const separation = (values: readonly number[]): Separation => ({
    state,
    right: meanOf(rights),
    mean: meanOf(values),
    paired: pairedAuc(values, rights, resamples),
    pooled: pooledAuc(values, rights, resamples),
  });
  return {
    charts: used.length,
    faults: {
      wrong_axis: separation(penalties("wrong_axis")),
      wrong_names: separation(penalties("wrong_names")),
    },
  };
}

/**
 * What a run charges for a call; the chart's calls are the group that a best one is chosen from. As that costs nothing whatever it rests on, the
 * right call is then the costlier of the two.
 */
function penaltyOf(
  { student, teacher, logProbs = {} }: ChartScores,
  kind: CallKind,
  settings: CellSettings,
  options: DiagnoseOptions,
): number {
  const scored = <T>(value: T | undefined): T => {
    if (value !== undefined) return value;
    throw new IapoError("argument", `a chart's ${kind} call was not scored by the teacher`);
  };
  if (!isAttribution(settings)) return -scored(logProbs[kind]);
  const penalty: PenaltySettings = { ...options, normalize: settings.normalize, noCallPenalty: "zero" };
  switch (settings.compare) {
    case "student_with_teacher": {
      const reference = settings.teacherTarget === "teacher_call" ? teacher.own : teacher[kind];
      return callDivergence(student[kind], scored(reference), penalty);
    }
    case "teacher_with_own_call":
      return callDivergence(scored(teacher[kind]), scored(teacher.own), penalty);
    case "teacher_with_best_of_group": {
      const best = callKinds.reduce((most, one) => (scored(logProbs[one]) > scored(logProbs[most]) ? one : most));
      const distance = (one: CallKind): number => callDivergence(scored(teacher[one]), scored(teacher[best]), penalty);
      return kind === "right" ? Math.max(distance("right"), distance("other_right")) : distance(kind);
    }
  }
}

/** Groups compare calls on the same chart, so the paired areas of the worst state decide, the pooled ones where these are equal. */
function recommend(cells: readonly DiagnosedCell[]): number | null {
  const weakest = (cell: DiagnosedCell, kind: "paired" | "pooled"): number =>
    Math.min(...faults.map((fault) => cell.faults[fault][kind].auc));
  const good = [...cells.entries()].filter(
    ([, cell]) =>
      isAttribution(cell.settings) &&
      weakest(cell, "paired") >= LEAST_AREA &&
      cell.states.every((state) => faults.every((fault) => state[fault].paired.low > 0.5)),
  );
  const [best] = good.sort(
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
        const { state, paired } = found[fault];
        const [value, from, to] = [paired.auc, paired.low, paired.high].map((number) => number.toFixed(2));
        return `${labelOf(settings)}: ${state}, a call with the ${fault.replace("_", " ")} costs less than the right one (AUC ${value}, ${from} to ${to}); a policy can raise its reward by this fault`;
      }),
  );
  const none = `no setting tells both faults from right calls in every state (AUC of at least ${LEAST_AREA}); do not train with a penalty on these models`;
  return recommended === null ? [...cheaper, none] : cheaper;
}

/** Such as `occlusion, student_with_teacher, student_call, per_tool, absL1`. */
export function labelOf(settings: CellSettings): string {
  const label = comparisonLabel(settings);
  return isAttribution(settings) ? [label, settings.partition, settings.normalize].join(", ") : label;
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
