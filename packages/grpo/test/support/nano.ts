// A nano model with random weights, and chart tasks in their real environment.
import { baseDirectory } from "@iapo/nano-vl";
import { Adapter, initializeWeights, QwenVLModel, QwenVLPolicy, TEXT_PROJECTIONS } from "@iapo/qwen-vl-model";
import { loadConfig } from "@iapo/qwen-vl-model/config";
import { loadProcessor } from "@iapo/qwen-vl-model/processor";
import type { Task } from "@iapo/rollout-trace";
import { type Device, deriveSeed } from "@iapo/tensor-core";
import { createEnvironment, createNanoCharts } from "@iapo/vqa-tasks";
import type { Environment, TrainablePolicy } from "../../src/index.ts";

export interface NanoOptions {
  readonly dtype?: "f32" | "bf16";
  readonly lora?: boolean;
  readonly seed?: number;
}

export async function nanoPolicy(device: Device, options: NanoOptions = {}): Promise<QwenVLPolicy> {
  const { dtype = "f32", lora = false, seed = 1 } = options;
  const config = await loadConfig(baseDirectory);
  const processor = await loadProcessor(baseDirectory);
  const weights = initializeWeights(device, config, deriveSeed("test", seed), { dtype, trainable: () => !lora });
  const adapter = lora
    ? Adapter.create(device, config, { rank: 4, alpha: 8, targets: TEXT_PROJECTIONS }, deriveSeed("adapter", seed))
    : undefined;
  const policy: QwenVLPolicy & TrainablePolicy = new QwenVLPolicy(new QwenVLModel(config, weights, adapter), processor);
  return policy;
}

export async function chartTasks(count: number, seed = 1): Promise<Task[]> {
  const charts = await createNanoCharts({ seed });
  return Promise.all(Array.from({ length: count }, async (_, i) => (await charts.chart("train", i)).task));
}

/**
 * The chart environment for an untrained model, which writes no program: every other first turn is read as if it had written a good one, so
 * that second turns and edited images occur. The tool itself runs.
 */
export function withPrograms(charts: Environment): Environment {
  return {
    prompt: (task) => charts.prompt(task),
    async step(task, turn, earlier) {
      const calls = earlier.length === 0 && turn.text.length % 2 === 0;
      return charts.step(task, calls ? { text: programFor(task) } : turn, earlier);
    },
  };
}

export const environment: Environment = withPrograms(createEnvironment({ options: { prompt: "compact" } }));

function programFor({ orientation, columns, rows }: Task): string {
  const axis = orientation ?? "columns";
  const [first] = axis === "columns" ? columns : rows;
  return `\`\`\`python\ndisplay(focus_on_${axis}_with_mask(image_1, ["${first!.name}"], ${axis}_bbox))\n\`\`\`\n`;
}
