// Makes a nano model by supervised stages, from random weights, or from the shipped teacher; stages that a directory already holds
// are not repeated.
//   node --conditions=@iapo/source apps/trainer/recipes/nano/train.ts student|teacher|teacher-large|teacher-qwen3-vl|context-teacher|context-student <work directory>
import { existsSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { learnerOptions, supervisedRecipe, train } from "@iapo/grpo";
import { optimizerSettingsSchema } from "@iapo/grpo/config";
import { baseDirectory, qwen3BaseDirectory, teacherDirectory } from "@iapo/nano-vl";
import { exportModel, initializeWeights, loadWeights, QwenVLModel, QwenVLPolicy } from "@iapo/qwen-vl-model";
import { loadConfig } from "@iapo/qwen-vl-model/config";
import { loadProcessor } from "@iapo/qwen-vl-model/processor";
import { deriveSeed, openDevice } from "@iapo/tensor-core";
import { stageExamples } from "./examples.ts";
import { grownWeights, largeConfig } from "./grow.ts";
import { measureDirectory } from "./measure.ts";
import { beginAsTeacher, type Role, type Stage, stagesOf } from "./stages.ts";

const SEED = 1;
const [role = "", work = ""] = process.argv.slice(2);
if (!isRole(role) || work === "") {
  console.error(`usage: train.ts ${Object.keys(stagesOf).join("|")} <work directory>`);
  process.exit(2);
}

/** Configuration, tokenizer, template and image limits. */
const base = role === "teacher-qwen3-vl" ? qwen3BaseDirectory : baseDirectory;
const device = await openDevice();
const policy = new QwenVLPolicy(await beginning(role), await loadProcessor(base));

for (const stage of stagesOf[role]) await runStage(stage);

const target = join(work, `${role}-model`);
if (!existsSync(target)) await exportAsBf16(policy.model, target);
console.log(JSON.stringify(await measureDirectory(device, target, { world: stagesOf[role].at(-1)?.charts }), null, 2));

function isRole(name: string): name is Role {
  return Object.hasOwn(stagesOf, name);
}

async function beginning(of: Role): Promise<QwenVLModel> {
  const config = await loadConfig(base);
  const seed = deriveSeed(SEED, "nano-vl");
  if (!beginAsTeacher.includes(of)) {
    const weights = initializeWeights(device, config, seed, { trainable: () => true, deviation: "fan_in" });
    return new QwenVLModel(config, weights);
  }
  const trainable = () => of !== "teacher-large";
  const weights = await loadWeights(device, config, teacherDirectory, { dtype: "f32", trainable });
  const teacher = new QwenVLModel(config, weights);
  if (of !== "teacher-large") return teacher;
  const large = largeConfig(config);
  const grown = await grownWeights(device, teacher, large, seed);
  teacher.dispose();
  return new QwenVLModel(large, grown);
}

/** Rounds the f32 weights on the way. */
async function exportAsBf16(model: QwenVLModel, directory: string): Promise<void> {
  const exact = `${directory}-f32`;
  await rm(exact, { recursive: true, force: true });
  await exportModel(model, exact, { companions: base });
  const rounded = new QwenVLModel(model.config, await loadWeights(device, model.config, exact, { dtype: "bf16" }));
  await exportModel(rounded, directory, { companions: base });
  rounded.dispose();
}

async function runStage(stage: Stage): Promise<void> {
  const { steps, batch, learningRate, schedule = "cosine" } = stage;
  const optimizer = optimizerSettingsSchema.parse({
    learningRate,
    schedule,
    warmupSteps: 50,
    totalSteps: steps,
    betas: [0.9, 0.98],
    weightDecay: 0.05,
  });
  const recipe = supervisedRecipe(
    { policy, examples: await stageExamples(policy, SEED, stage), learner: learnerOptions(optimizer) },
    { seed: SEED, batch },
  );
  const start = performance.now();
  let [sum, count] = [0, 0];
  await train(recipe, {
    directory: join(work, stage.name),
    resume: true,
    steps,
    checkpoint: { every: 100, keep: 1 },
    settings: { seed: SEED, stage },
    onMetrics(step, metrics) {
      sum += metrics["train/loss"] ?? 0;
      count++;
      if ((step + 1) % 20 !== 0) return;
      const seconds = (performance.now() - start) / 1000;
      console.log(`${stage.name} step ${step + 1}/${steps}: loss ${(sum / count).toFixed(4)}, ${seconds.toFixed(0)} s`);
      [sum, count] = [0, 0];
    },
  });
  recipe.dispose();
}
