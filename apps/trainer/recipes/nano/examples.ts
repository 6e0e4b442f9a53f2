// What the nano models learn from, stage by stage.
import type { TaskSource } from "@iapo/grpo";
import { chartExamples } from "@iapo/jobs";
import type { Scribe, Trajectory } from "@iapo/rollout-trace";
import { createEnvironment, type VqaEnvironment } from "@iapo/vqa-tasks";
import { createNanoCharts, type NanoChartOptions, type NanoCharts } from "@iapo/vqa-tasks/nano";
import type { Stage } from "./stages.ts";

/** Bars have names of one word, which are one token each; the prompt is the short one. */
export async function nanoWorld(
  seed: number,
  options: Partial<Pick<NanoChartOptions, "quality" | "tools" | "style">> = {},
): Promise<{ charts: NanoCharts; environment: VqaEnvironment }> {
  const charts = await createNanoCharts({ seed, names: "words", ...options });
  return { charts, environment: createEnvironment({ options: { prompt: "compact" } }) };
}

/** Examples of a stage. */
export async function stageExamples(scribe: Scribe, seed: number, stage: Stage): Promise<TaskSource<Trajectory>> {
  const { name, mixture, quality, charts } = stage;
  const world = await nanoWorld(seed, { quality, ...charts });
  return chartExamples({ scribe, ...world, seed, name, mixture, length: stage.steps * stage.batch });
}
