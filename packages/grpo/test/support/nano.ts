// A nano model with random weights or the shipped student's, and chart tasks in their real environment.
import { baseDirectory, studentDirectory } from "@iapo/nano-vl";
import {
  Adapter,
  initializeWeights,
  loadWeights,
  QwenVLModel,
  QwenVLPolicy,
  TEXT_PROJECTIONS,
} from "@iapo/qwen-vl-model";
import { loadConfig } from "@iapo/qwen-vl-model/config";
import { loadProcessor } from "@iapo/qwen-vl-model/processor";
import type { Environment } from "@iapo/rollout-trace";
import { type Device, deriveSeed } from "@iapo/tensor-core";
import { createEnvironment, type VisualContent, type VisualTask } from "@iapo/vqa-tasks";
import { createNanoCharts, type NanoChartOptions } from "@iapo/vqa-tasks/nano";
import type { TrainablePolicy } from "../../src/index.ts";

export interface NanoOptions {
  /** Default `random`. */
  readonly weights?: "random" | "student";
  readonly dtype?: "f32" | "bf16";
  readonly lora?: boolean;
  readonly seed?: number;
}

export async function nanoPolicy(device: Device, options: NanoOptions = {}): Promise<QwenVLPolicy> {
  const { dtype = "f32", lora = false, seed = 1 } = options;
  const directory = options.weights === "student" ? studentDirectory : baseDirectory;
  const config = await loadConfig(directory);
  const processor = await loadProcessor(directory);
  const held = { dtype, trainable: () => !lora };
  const weights =
    options.weights === "student"
      ? await loadWeights(device, config, directory, held)
      : initializeWeights(device, config, deriveSeed("test", seed), held);
  const adapter = lora
    ? Adapter.create(device, config, { rank: 4, alpha: 8, targets: TEXT_PROJECTIONS }, deriveSeed("adapter", seed))
    : undefined;
  const policy: QwenVLPolicy & TrainablePolicy = new QwenVLPolicy(new QwenVLModel(config, weights, adapter), processor);
  return policy;
}

/** The shipped student knows names of one word. */
export async function chartTasks(count: number, options: Partial<NanoChartOptions> = {}): Promise<VisualTask[]> {
  const charts = await createNanoCharts({ seed: 1, ...options });
  return Promise.all(Array.from({ length: count }, async (_, i) => (await charts.chart("train", i)).task));
}

/**
 * The chart environment for an untrained model, which writes no program: every other first turn is read as if it had written a good one, so
 * that second turns and edited images occur. The tool itself runs.
 */
export function withPrograms(charts: Environment<VisualContent>): Environment<VisualContent> {
  return {
    contentSchema: charts.contentSchema,
    prompt: (task) => charts.prompt(task),
    async step(task, turn, earlier) {
      const calls = earlier.length === 0 && turn.text.length % 2 === 0;
      return charts.step(task, calls ? { text: programFor(task.content) } : turn, earlier);
    },
  };
}

/** Where the shipped student, which writes its own programs, belongs. */
export const charts: Environment<VisualContent> = createEnvironment({ options: { prompt: "compact" } });

export const environment: Environment<VisualContent> = withPrograms(charts);

function programFor({ orientation, columns, rows }: VisualContent): string {
  const axis = orientation ?? "columns";
  const [first] = axis === "columns" ? columns : rows;
  return `\`\`\`python\ndisplay(focus_on_${axis}_with_mask(image_1, ["${first!.name}"], ${axis}_bbox))\n\`\`\`\n`;
}
