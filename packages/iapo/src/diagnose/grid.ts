// The settings that a diagnosis compares.
import type { Normalizer } from "@iapo/attribution/math";
import { compareLabel } from "../config/compare.ts";
import type { CompareSettings, MethodSettings, PartitionSettings } from "../config/types.ts";

/** A penalty without attribution: D is minus the log-prob of the call's tokens under the teacher. */
export interface LogProbPenalty {
  readonly compare: "teacher_log_prob";
}

/** What a call is explained by: keys of a configuration as they can stand in a file. */
export type AttributionCell = MethodSettings & PartitionSettings & CompareSettings & { readonly normalize: Normalizer };

/** What differs from cell to cell. */
export type CellSettings = AttributionCell | LogProbPenalty;

/** Every combination is a cell; `logProb` adds one of its own. */
export interface DiagnoseGrid {
  readonly methods: readonly MethodSettings[];
  readonly partitions: readonly PartitionSettings[];
  readonly normalizers: readonly Normalizer[];
  readonly comparisons: readonly CompareSettings[];
  readonly logProb: boolean;
}

/**
 * Occlusion and gradient x embedding under all its token reduces, on tools one by one, by kind, and in the groups given. Integrated gradients
 * are left out, as each costs as much as all of these: add them where the time is there.
 */
export function defaultGrid(toolGroups: Readonly<Record<string, readonly string[]>>): DiagnoseGrid {
  const reduces = ["dot", "l1", "l2"] as const;
  return {
    methods: [
      { method: "occlusion", baseline: "mean_by_kind" },
      ...reduces.map((tokenReduce) => ({ method: "grad_x_input", tokenReduce, blockReduce: "mean" }) as const),
    ],
    partitions: [
      { partition: "per_tool" },
      { partition: "by_type" },
      ...(Object.keys(toolGroups).length > 0 ? [{ partition: "tool_groups", toolGroups } as const] : []),
    ],
    normalizers: ["absL1", "signedL1", "relu", "softmax_z"],
    comparisons: [
      { compare: "student_with_teacher", teacherTarget: "student_call" },
      { compare: "student_with_teacher", teacherTarget: "teacher_call" },
      { compare: "teacher_with_best_of_group" }, // of equals the first is recommended, and this one costs less
      { compare: "teacher_with_own_call" },
    ],
    logProb: true,
  };
}

/** Such as `ig dot, 32 steps`; what is not as by default is named. */
export function methodLabel(settings: MethodSettings): string {
  const parts: string[] = [settings.method];
  if ("tokenReduce" in settings) parts[0] += ` ${settings.tokenReduce}`;
  if ("steps" in settings) parts.push(`${settings.steps} steps`);
  if ("blockReduce" in settings && settings.blockReduce !== "mean") parts.push(settings.blockReduce);
  if ("baseline" in settings && settings.baseline !== "mean_by_kind") parts.push(`baseline ${settings.baseline}`);
  return parts.join(", ");
}

/** What a cell explains and compares, without partition and normalizer. */
export function comparisonLabel(settings: CellSettings): string {
  return isAttribution(settings) ? `${methodLabel(settings)}, ${compareLabel(settings)}` : settings.compare;
}

export function isAttribution(settings: CellSettings): settings is AttributionCell {
  return settings.compare !== "teacher_log_prob";
}
