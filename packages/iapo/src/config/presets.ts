// Two sets of settings to start from.
import type { IapoSettings, SharedSettings } from "./types.ts";

export type IapoPreset = "paper" | "occlusion";

/** A method by name, whose own keys have defaults, and the rest. */
export type PresetDefaults = SharedSettings & Pick<IapoSettings, "method">;

const shared = {
  target: "code",
  normalize: "absL1",
  temperature: 1,
  smoothing: 1e-3,
  divergence: "kl_student_teacher",
  maxPenalty: 5,
  noCallPenalty: "lnK",
  teacherTarget: "student_call",
  teacherTemperature: 0,
  lambdaSchedule: { kind: "exp", rate: 0.01, floor: 0 },
} as const;

/**
 * `paper`: the paper's method as docs/method.md section 0 reads it. `occlusion`: the one whose penalty told right calls from wrong ones at nano
 * scale (docs/method.md K.1 and K.2), for a student that calls tools from the start.
 */
export const presetDefaults: Readonly<Record<IapoPreset, PresetDefaults>> = {
  paper: { ...shared, method: "grad_x_input", lambda: 0.1, normalization: "joint", coldStartSteps: 20 },
  occlusion: { ...shared, method: "occlusion", lambda: 0.5, normalization: "decoupled", coldStartSteps: 0 },
};
