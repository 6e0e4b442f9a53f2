/**
 * The paper's experiments at their own size. It gives models, steps (curves to 150, the teachers' table at 200), lambda and its decay; group
 * size, batch and learning rate are those of VTool-R1's second code, on which it builds (docs/method.md D.2). The Qwen3-VL-8B teachers of
 * Table 2 are not here, as no Qwen3-VL runs here.
 */
import type { ExperimentRecipe } from "./types.ts";

const student = { hub: { repository: "Qwen/Qwen2.5-VL-3B-Instruct" } };
const large = { hub: { repository: "Qwen/Qwen2.5-VL-7B-Instruct" } };
const teacher = { run: "paper-teacher-7b-grpo" };

const grpo = {
  steps: 200,
  groups: 32,
  rollout: { samples: 8, maxTokens: 2048, onFailure: "drop", timeout: 60_000 },
  loss: { kind: "dapo" },
  update: { miniBatch: 16 },
  optimizer: { learningRate: 1e-6, weightDecay: 0.01 },
  checkpoint: { every: 10, keep: 2 },
  evaluate: { every: 5, tasks: 256 },
} as const;

const main: ExperimentRecipe = {
  name: "paper-iapo",
  title: "IAPO, 3B student, 7B teacher trained by GRPO",
  source: "Table 1, Figures 3 and 4",
  student,
  teacher,
  grpo,
  iapo: { preset: "paper" },
};

const baselines: readonly ExperimentRecipe[] = [
  { name: "paper-grpo", title: "GRPO on all turns", source: "Figure 4", student, grpo },
  {
    name: "paper-vtool-r1",
    title: "VTool-R1: GRPO on the final turn",
    source: "Table 1",
    student,
    grpo: { ...grpo, loss: { kind: "dapo", turns: "final_only" } },
  },
  { name: "paper-torl", title: "ToRL", source: "Table 1", student, grpo, baseline: { kind: "torl" } },
  {
    name: "paper-trm",
    title: "TRM, a language model as verifier",
    source: "Table 1",
    student,
    grpo,
    baseline: { kind: "trm", verifier: "llm" },
  },
];

const teachers: readonly ExperimentRecipe[] = [
  {
    name: "paper-teacher-7b-grpo",
    title: "The teacher: GRPO of the 7B model on the same tasks",
    source: "section 4.1",
    student: large,
    grpo,
  },
  {
    ...main,
    name: "paper-teacher-7b",
    title: "IAPO with the 7B model as it is for teacher",
    source: "Table 2",
    teacher: large,
  },
];

const lambdas: readonly ExperimentRecipe[] = [0.05, 0.5, 1].map((lambda) => ({
  ...main,
  name: `paper-lambda-${String(lambda).replace(".", "-")}`,
  title: `IAPO with lambda ${lambda}`,
  source: "Table 3",
  iapo: { preset: "paper", lambda },
}));

/** Table 2's trained teacher and Table 3's lambda of 0.1 are `paper-iapo` itself. */
export const paperRecipes: readonly ExperimentRecipe[] = [main, ...baselines, ...teachers, ...lambdas];
