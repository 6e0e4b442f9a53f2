// A short GRPO run of a nano model with random weights, made by grpo's own loop, with images kept as `iapo train` keeps them.
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { evaluatePolicy, grpoRecipe, train } from "@iapo/grpo";
import { lossPreset } from "@iapo/grpo/math";
import { keepingImages } from "@iapo/jobs";
import { baseDirectory } from "@iapo/nano-vl";
import { initializeWeights, QwenVLModel, QwenVLPolicy } from "@iapo/qwen-vl-model";
import { loadConfig } from "@iapo/qwen-vl-model/config";
import { loadProcessor } from "@iapo/qwen-vl-model/processor";
import type { Environment } from "@iapo/rollout-trace";
import { type Device, deriveSeed } from "@iapo/tensor-core";
import { createEnvironment, type VisualContent } from "@iapo/vqa-tasks";
import { createNanoCharts } from "@iapo/vqa-tasks/nano";

export interface TestRun {
  readonly seed?: number;
  readonly steps?: number;
  /** In place of the charts' own questions. */
  readonly question?: string;
}

export async function makeRun(device: Device, directory: string, options: TestRun = {}): Promise<void> {
  const { seed = 7, steps = 2, question } = options;
  const config = await loadConfig(baseDirectory);
  const processor = await loadProcessor(baseDirectory);
  const weights = initializeWeights(device, config, deriveSeed("test", seed), { dtype: "f32", trainable: () => true });
  const policy = new QwenVLPolicy(new QwenVLModel(config, weights), processor);
  const charts = await createNanoCharts({ seed: 1, names: "words" });
  const task = async (index: number) => {
    const { task } = await charts.chart("train", index);
    return question === undefined ? task : { ...task, content: { ...task.content, question } };
  };
  const settings = {
    seed,
    groups: 2,
    rollout: { samples: 3, sampling: { temperature: 1 }, maxTokens: 8 },
    advantage: { kind: "grpo", scale: "group", epsilon: 1e-6 },
    loss: { ...lossPreset("dapo"), kl: { where: "loss", estimator: "k3", coefficient: 0.01 } },
  } as const;
  // Evidence of block scores, as a penalty leaves it.
  const penalty: Parameters<typeof grpoRecipe>[0]["penalty"] = async (groups) =>
    groups.map((traces) =>
      traces.map(({ sample }) => ({
        penalty: 0.1 * sample,
        evidence: {
          divergence: [0.1 * sample],
          student_scores: Array.from({ length: 9 }, (_, i) => (i - 3 + sample) / 4),
          teacher_scores: Array.from({ length: 9 }, (_, i) => (4 - i) / 2),
        },
      })),
    );
  const parts = {
    policy,
    environment,
    tasks: { length: 4, task },
    learner: { learningRate: () => 1e-3 },
    penalty,
  };
  const recipe = grpoRecipe(parts, settings);
  const held = { length: 2, task: (index: number) => task(4 + index) };
  try {
    await train(keepingImages(recipe, directory), {
      directory,
      steps,
      checkpoint: { every: 1, keep: 1 },
      settings: { ...settings, learningRate: 1e-3 },
      evaluate: {
        every: 2,
        run: () => evaluatePolicy(policy, environment, held, { seed: 5, count: 2, rollout: settings.rollout }),
      },
    });
  } finally {
    recipe.dispose();
    policy.model.dispose();
  }
  await rm(join(directory, "checkpoints"), { recursive: true }); // a report needs none
}

const chartEnvironment = createEnvironment({ options: { prompt: "compact" } });

/**
 * The chart environment for an untrained model, which writes no program: every other first turn is read as if it had written a good one, so
 * that second turns and edited images occur. The tool itself runs.
 */
const environment: Environment<VisualContent> = {
  contentSchema: chartEnvironment.contentSchema,
  prompt: (task) => chartEnvironment.prompt(task),
  async step(task, turn, earlier) {
    const calls = earlier.length === 0 && turn.text.length % 2 === 0;
    const { orientation, columns, rows } = task.content;
    const axis = orientation ?? "columns";
    const [first] = axis === "columns" ? columns : rows;
    const program = `\`\`\`python\ndisplay(focus_on_${axis}_with_mask(image_1, ["${first?.name}"], ${axis}_bbox))\n\`\`\`\n`;
    const result = await chartEnvironment.step(task, calls ? { text: program } : turn, earlier);
    const { done } = result;
    return done
      ? { ...result, done: { rewards: { ...(await done.rewards), outcome: turn.text.length / 40 } } }
      : result;
  },
};
