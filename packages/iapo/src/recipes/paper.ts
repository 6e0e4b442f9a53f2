// The paper's experiments at their own size. It gives models, steps (curves to 150, the teachers' table at 200), lambda and its decay; group
// size, batch and learning rate are those of VTool-R1's second code, on which it builds (docs/method.md D.2). It does not say how many pixels its
// Qwen3-VL teachers see: here 1280 visual tokens, as all of that model's vision blocks attend within the whole image. The charts only let them run:
// give them your own by `data: { nanoCharts: , files: ..., validation: ... }`.
import { type ExperimentRecipe, madeModel, type RecipeConfig } from "./types.ts";

const student = { hub: { repository: "Qwen/Qwen2.5-VL-3B-Instruct" } };
const large = { hub: { repository: "Qwen/Qwen2.5-VL-7B-Instruct" } };
const otherFamily = { hub: { repository: "Qwen/Qwen3-VL-8B-Instruct" }, maxPixels: 1280 * 32 * 32 };
/** Makes the teacher of the others. */
const trainedTeacher = "paper-teacher-7b-grpo";
const trainedOtherFamily = "paper-teacher-qwen3-vl-8b-grpo";

const loop = {
  seed: 1,
  steps: 200,
  groups: 32,
  rollout: { samples: 8, maxTokens: 2048, onFailure: "drop", timeoutMs: 60_000 },
  loss: { kind: "dapo" },
  update: { miniBatch: 16 },
  optimizer: { learningRate: 1e-6, weightDecay: 0.01 },
  checkpoint: { every: 10, keep: 2 },
  evaluate: { every: 5, tasks: 256 },
} as const;

const grpo: RecipeConfig = { model: student, data: { nanoCharts: { seed: 1 } }, grpo: loop };

const main: ExperimentRecipe = {
  name: "paper-iapo",
  title: "IAPO, 3B student, 7B teacher trained by GRPO",
  source: "Table 1, Figures 3 and 4",
  config: { ...grpo, teacher: { directory: madeModel(trainedTeacher) }, iapo: { preset: "paper" } },
  needs: trainedTeacher,
};

const baselines: readonly ExperimentRecipe[] = [
  { name: "paper-grpo", title: "GRPO on all turns", source: "Figure 4", config: grpo },
  {
    name: "paper-vtool-r1",
    title: "VTool-R1: GRPO on the final turn",
    source: "Table 1",
    config: { ...grpo, grpo: { ...loop, loss: { kind: "dapo", turns: "final_only" } } },
  },
  { name: "paper-torl", title: "ToRL", source: "Table 1", config: { ...grpo, baseline: { kind: "torl" } } },
  {
    name: "paper-trm",
    title: "TRM, a language model as verifier, served on this machine",
    source: "Table 1",
    config: {
      ...grpo,
      baseline: { kind: "trm", verifier: "llm" },
      verifier: { endpoint: "http://127.0.0.1:8000/v1", model: "Qwen/Qwen2.5-7B-Instruct" },
    },
  },
];

const teachers: readonly ExperimentRecipe[] = [
  {
    name: trainedTeacher,
    title: "The teacher: GRPO of the 7B model on the same tasks",
    source: "section 4.1",
    config: { ...grpo, model: large },
  },
  {
    name: "paper-teacher-7b",
    title: "IAPO with the 7B model as it is for teacher",
    source: "Table 2",
    config: { ...main.config, teacher: large },
  },
  {
    name: "paper-teacher-qwen3-vl-8b",
    title: "IAPO with Qwen3-VL-8B as it is for teacher, which renders the prompt itself",
    source: "Table 2",
    config: { ...main.config, teacher: otherFamily },
  },
  {
    name: trainedOtherFamily,
    title: "That teacher: GRPO of Qwen3-VL-8B on the same tasks",
    source: "Table 2",
    config: { ...grpo, model: otherFamily },
  },
  {
    name: "paper-iapo-qwen3-vl-8b",
    title: "IAPO, 3B student, Qwen3-VL-8B trained by GRPO for teacher",
    source: "Table 2",
    config: { ...main.config, teacher: { directory: madeModel(trainedOtherFamily), maxPixels: otherFamily.maxPixels } },
    needs: trainedOtherFamily,
  },
];

const lambdas: readonly ExperimentRecipe[] = [0.05, 0.5, 1].map((lambda) => ({
  ...main,
  name: `paper-lambda-${String(lambda).replace(".", "-")}`,
  title: `IAPO with lambda ${lambda}`,
  source: "Table 3",
  config: { ...main.config, iapo: { preset: "paper", lambda } },
}));

/** On one graphics card. The paper trains all weights, at a tenth of this learning rate. */
const onOneCard: ExperimentRecipe = {
  name: "paper-main",
  title: "IAPO on one card: an adapter on the 3B student, the 7B model as it is for teacher, in turns",
  source: "Table 1",
  config: {
    ...grpo,
    model: { ...student, lora: { rank: 16, alpha: 32 }, recompute: true },
    teacher: { ...large, residence: "turns" },
    iapo: { preset: "paper" },
    grpo: {
      ...loop,
      update: { miniBatch: 16, microBatchTokens: 4096 },
      optimizer: { learningRate: 1e-5, weightDecay: 0.01 },
    },
  },
};

/** Table 2's trained teacher and Table 3's lambda of 0.1 are `paper-iapo` itself. */
export const paperRecipes: readonly ExperimentRecipe[] = [main, ...baselines, ...teachers, ...lambdas, onOneCard];
