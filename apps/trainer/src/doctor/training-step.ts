// One supervised step of a nano model: all pipelines that training needs.

import { Learner, learnerOptions, supervisedStep } from "@iapo/grpo";
import { chartExamples, environmentOf, loadConfig } from "@iapo/jobs";
import { QwenVLPolicy } from "@iapo/qwen-vl-model";
import type { Device } from "@iapo/tensor-core";
import { openTasks } from "@iapo/vqa-tasks/sources";

const EXAMPLES = 4;

export async function nanoTrainingStep(device: Device): Promise<void> {
  const { config } = loadConfig("nano-sft", []);
  const seed = 1;
  const policy = await QwenVLPolicy.load(device, config.model, { seed });
  const { charts } = await openTasks(config.data);
  if (!charts || !config.supervised) throw new Error("the recipe nano-sft learns from nano-charts");
  const environment = await environmentOf(config.environment);
  const mixture = { captions: 0, copies: 0 };
  const parts = { scribe: policy, charts, environment, seed, name: "doctor", mixture, length: EXAMPLES };
  const examples = chartExamples(parts);
  const learner = new Learner(policy, learnerOptions(config.supervised.optimizer));
  try {
    await supervisedStep(learner, await Promise.all([0, 1, 2, 3].map((index) => examples.task(index))));
  } finally {
    learner.dispose();
    policy.model.dispose();
  }
}
