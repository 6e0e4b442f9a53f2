/**
 * The paper's experiments at nano scale: sixteen configurations, each differing from another one in a single thing, on the shipped nano student.
 * Their steps are equal, so that they can be compared; a queue gives each its seeds.
 */
import type { ExperimentRecipe } from "./types.ts";

const student = { directory: "nano-student" };
const teacher = { directory: "nano-teacher" };

const grpo = {
  steps: 30,
  groups: 12,
  rollout: { samples: 8, maxTokens: 48 },
  loss: { kind: "dapo" },
  optimizer: { learningRate: 4e-4, weightDecay: 0 },
  checkpoint: { every: 10, keep: 1 },
  evaluate: { every: 10, tasks: 384 },
} as const;

/** The student calls tools from the start, so no cold start is needed. */
const paperPreset = { preset: "paper", coldStartSteps: 0 } as const;
/** Calls to explain as `iapo diagnose` recommends for the shipped models; lambda as the paper's, since the preset's 0.5 drives them to one axis. */
const occlusionPreset = { preset: "occlusion", teacherTarget: "teacher_call", lambda: 0.1 } as const;

const paper: ExperimentRecipe = {
  name: "nano-iapo-paper",
  title: "IAPO, the paper's method",
  source: "Table 1",
  student,
  teacher,
  grpo,
  iapo: paperPreset,
};
const occlusion: ExperimentRecipe = {
  ...paper,
  name: "nano-iapo-occlusion",
  title: "IAPO by occlusion",
  iapo: occlusionPreset,
};

const methods: readonly ExperimentRecipe[] = [
  { name: "nano-grpo", title: "GRPO", source: "Table 1", student, grpo },
  { name: "nano-torl", title: "ToRL", source: "Table 1", student, grpo, baseline: { kind: "torl" } },
  { name: "nano-trm", title: "TRM by turns", source: "Table 1", student, grpo, baseline: { kind: "trm" } },
  {
    name: "nano-trm-trajectory",
    title: "TRM by trajectories",
    source: "Table 1",
    student,
    grpo,
    baseline: { kind: "trm", mode: "trajectory" },
  },
  paper,
  occlusion,
];

/** The shipped teacher, supervised and then trained by 16 steps of GRPO, is that of all others. */
const teachers: readonly ExperimentRecipe[] = [
  {
    ...occlusion,
    name: "nano-teacher-untrained",
    title: "IAPO by occlusion, teacher with random weights",
    source: "Table 2",
    teacher: { directory: "nano-base", initialize: 0 },
  },
  {
    ...occlusion,
    name: "nano-teacher-grpo",
    title: "IAPO by occlusion, teacher trained on by GRPO",
    source: "Table 2",
    teacher: { run: "nano-make-teacher-grpo" },
  },
  {
    ...occlusion,
    name: "nano-teacher-larger",
    title: "IAPO by occlusion, larger teacher",
    source: "Table 2",
    teacher: { directory: "nano-teacher-large" },
  },
];

/** 0.1 is `occlusion`'s. */
const lambdas: readonly ExperimentRecipe[] = [0.05, 0.5, 1].map((lambda) => ({
  ...occlusion,
  name: `nano-lambda-${String(lambda).replace(".", "-")}`,
  title: `IAPO by occlusion, lambda ${lambda}`,
  source: "Table 3",
  iapo: { ...occlusionPreset, lambda },
}));

const readings: readonly ExperimentRecipe[] = [
  {
    ...paper,
    name: "nano-paper-decoupled",
    title: "The paper's method, penalty and outcome normalized apart",
    source: "docs/method.md decision 3",
    iapo: { ...paperPreset, normalization: "decoupled" },
  },
  {
    ...paper,
    name: "nano-paper-teacher-call",
    title: "The paper's method against the teacher's own call",
    source: "docs/method.md F12",
    iapo: { ...paperPreset, teacherTarget: "teacher_call" },
  },
  {
    ...occlusion,
    name: "nano-occlusion-joint",
    title: "IAPO by occlusion, penalty and outcome normalized together",
    source: "docs/method.md decision 3",
    iapo: { ...occlusionPreset, normalization: "joint" },
  },
  {
    ...occlusion,
    name: "nano-occlusion-student-call",
    title: "IAPO by occlusion, the teacher explaining the student's call",
    source: "docs/method.md F12",
    iapo: { ...occlusionPreset, teacherTarget: "student_call" },
  },
];

/** The sixteen. */
export const nanoRecipes: readonly ExperimentRecipe[] = [...methods, ...teachers, ...lambdas, ...readings];

/** What one of them needs first. */
export const nanoPreparations: readonly ExperimentRecipe[] = [
  {
    name: "nano-make-teacher-grpo",
    title: "The nano teacher, trained on by GRPO",
    source: "section 4.1",
    student: teacher,
    grpo: { ...grpo, optimizer: { ...grpo.optimizer, learningRate: 1e-4 } },
  },
];
