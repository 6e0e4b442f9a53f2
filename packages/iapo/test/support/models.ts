// Nano models with random weights as student and teacher, and chart tasks in their real environment.
import type { TaskSource } from "@iapo/grpo";
import { baseDirectory } from "@iapo/nano-vl";
import { DifferentiablePolicy, initializeWeights, QwenVLModel, QwenVLPolicy } from "@iapo/qwen-vl-model";
import { loadConfig } from "@iapo/qwen-vl-model/config";
import { loadProcessor } from "@iapo/qwen-vl-model/processor";
import type { Environment, PromptBlock, Turn } from "@iapo/rollout-trace";
import { type Device, deriveSeed } from "@iapo/tensor-core";
import { createEnvironment, type VisualContent, type VisualTask } from "@iapo/vqa-tasks";
import { createNanoCharts, toolProgram } from "@iapo/vqa-tasks/nano";
import type { AttributionModel, Teacher } from "../../src/index.ts";

const processor = await loadProcessor(baseDirectory);

export interface Nano {
  readonly policy: QwenVLPolicy;
  readonly model: AttributionModel;
}

export interface NanoKind {
  readonly seed: number;
  /** Another hidden size than the shipped configuration's, with heads of its own. */
  readonly wide?: boolean;
  readonly trainable?: boolean;
}

/** Values as wide as a trained model's: with the usual narrow ones attention is nearly uniform. */
export async function nanoModel(device: Device, { seed, wide = false, trainable = false }: NanoKind): Promise<Nano> {
  const config = await loadConfig(baseDirectory);
  const width = 128;
  const text = { ...config.text, hiddenSize: width, numAttentionHeads: 4, numKeyValueHeads: 2, numHiddenLayers: 2 };
  const vision = { ...config.vision, outHiddenSize: width, depth: 1, fullAttentionBlocks: [0] };
  const shape = wide ? { ...config, text, vision } : config;
  const weights = initializeWeights(device, shape, deriveSeed("iapo-test", seed), {
    deviation: "fan_in",
    trainable: () => trainable,
  });
  const policy = new QwenVLPolicy(new QwenVLModel(shape, weights), processor);
  return { policy, model: new DifferentiablePolicy(policy) };
}

export function teacherOf({ policy, model }: Nano, id: string): Teacher {
  return { model, writer: { id, policy } };
}

const charts = await createNanoCharts({ seed: 3, names: "words" });

export const chartTasks: TaskSource<VisualTask> = {
  length: 6,
  task: async (index) => (await charts.chart("train", index)).task,
};

const chartEnvironment = createEnvironment({ options: { prompt: "compact" } });

export function chartPrompt(task: VisualTask): readonly PromptBlock[] {
  return chartEnvironment.prompt(task);
}

/**
 * The chart environment for an untrained model, which writes no program: every other first turn is read as if it had written a good one, so
 * that calls, second turns and edited images occur. The tool itself runs. An answer is worth more the longer it is.
 */
export const environment: Environment<VisualContent> = {
  contentSchema: chartEnvironment.contentSchema,
  prompt: chartPrompt,
  async step(task, turn, earlier) {
    const calls = earlier.length === 0 && turn.text.length % 2 === 0;
    const result = await chartEnvironment.step(task, calls ? { text: programFor(task) } : turn, earlier);
    if (!result.done) return result;
    return { ...result, done: { rewards: { ...(await result.done.rewards), outcome: worth(turn.text) } } };
  },
};

export function worth(text: string): number {
  return (text.length % 5) / 5;
}

export function programFor({ content: { orientation = "columns", columns, rows } }: VisualTask): string {
  const [first] = orientation === "columns" ? columns : rows;
  return toolProgram(orientation, "mask", [first!.name]);
}

/** First turns of a task in which these texts were written. */
export function turnsOf({ policy }: Nano, task: VisualTask, texts: readonly string[]): Turn[] {
  const prompt = { freshPrompt: true, blocks: chartPrompt(task) };
  return texts.map((text) => policy.transcribe(prompt, text));
}
