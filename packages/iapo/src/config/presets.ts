// Sets of settings to start from.
import type { IapoSettings, SharedSettings } from "./types.ts";

export type IapoPreset = "paper" | "occlusion" | "anchored";

/** Choices by name, whose own keys have defaults, and the rest. */
export type PresetDefaults = SharedSettings & Pick<IapoSettings, "method" | "partition" | "compare">;

const shared = {
  target: "code",
  normalize: "absL1",
  temperature: 1,
  smoothing: 1e-3,
  divergence: "kl_student_teacher",
  maxPenalty: 5,
  noCallPenalty: "lnK",
  teacherTemperature: 0,
  tolerance: { kind: "none" },
  lambdaSchedule: { kind: "exp", rate: 0.01, floor: 0 },
} as const;

const ofStudent = { partition: "per_tool", compare: "student_with_teacher" } as const;
const byOcclusion = { method: "occlusion", lambda: 0.5, normalization: "decoupled", coldStartSteps: 0 } as const;

/**
 * `paper`: the paper's method as docs/method.md section 0 reads it. `occlusion`: the same comparison by the explanation that told right calls
 * from wrong ones at nano scale (K.1, K.2). `anchored`: both explanations are the teacher's, so that D depends on the call and not on what the
 * student believes (F12). The last two are for a student that calls tools from the start.
 */
export const presetDefaults: Readonly<Record<IapoPreset, PresetDefaults>> = {
  paper: { ...shared, ...ofStudent, method: "grad_x_input", lambda: 0.1, normalization: "joint", coldStartSteps: 20 },
  occlusion: { ...shared, ...ofStudent, ...byOcclusion },
  anchored: { ...shared, ...byOcclusion, partition: "by_type", compare: "teacher_with_best_of_group" },
};
