// The settings that a diagnosis compares.
import type { Normalizer } from "@iapo/attribution/math";
import type { MethodSettings, PartitionSettings } from "../config/types.ts";

type TeacherTarget = "student_call" | "teacher_call";

/** What differs from cell to cell: keys of a configuration as they can stand in a file. */
export type CellSettings = MethodSettings &
  PartitionSettings & { readonly normalize: Normalizer; readonly teacherTarget: TeacherTarget };

/** Every combination is a cell. */
export interface DiagnoseGrid {
  readonly methods: readonly MethodSettings[];
  readonly partitions: readonly PartitionSettings[];
  readonly normalizers: readonly Normalizer[];
  readonly teacherTargets: readonly TeacherTarget[];
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
    normalizers: ["absL1", "relu", "softmax_z"],
    teacherTargets: ["student_call", "teacher_call"],
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
