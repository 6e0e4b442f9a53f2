// How the turns of a run are made again, to be compared with its traces: prompts, tools and encoding once more, without a GPU.
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { traceRenderer } from "@iapo/grpo";
import { checkContent } from "@iapo/grpo/run-directory";
import { createScribe } from "@iapo/qwen-vl-model";
import { loadProcessor } from "@iapo/qwen-vl-model/processor";
import {
  contentWithImages,
  type Image,
  type ImageRef,
  identifyImage,
  storedContent,
  type TurnRenderer,
} from "@iapo/rollout-trace";
import { readImage } from "@iapo/visual-tools/sharp";
import { createNanoCharts, type NanoSplit } from "@iapo/vqa-tasks/nano";
import { defaultScoringOptions } from "@iapo/vqa-tasks/scoring";
import { JobsError } from "../error.ts";
import { episodesOf } from "../parts/environment.ts";
import { modelContent, recordedModel } from "../parts/model-content.ts";
import type { RecordedRun } from "../run/recorded-run.ts";

/** @param model a directory with the model's configuration, tokenizer and template; its weights are not read */
export async function rendererOf({ directory, config, record }: RecordedRun, model: string): Promise<TurnRenderer> {
  const { minPixels, maxPixels } = config.model;
  const limits = { ...(minPixels !== undefined && { minPixels }), ...(maxPixels !== undefined && { maxPixels }) };
  const scribe = createScribe(await loadProcessor(model, limits));
  const found = await modelContent(model, { name: "model", weights: false });
  checkContent(model, recordedModel(record, false), found, "give the model that it began with");
  // No answer is scored on the way, so no judge is needed.
  const { environment } = await episodesOf({
    ...config,
    environment: { ...config.environment, scoring: defaultScoringOptions },
  });
  const charts = config.data.nanoCharts && (await createNanoCharts(config.data.nanoCharts));
  return traceRenderer(scribe, environment, async ({ task }) => {
    // Nano-charts are a function of their number; other pictures are those that the run has kept.
    const [, split, index] = (charts && /-(train|validation|test)-(\d+)$/.exec(task.id)) ?? [];
    if (charts && split && index) {
      const made = (await charts.chart(split as NanoSplit, Number(index))).task;
      if (isDeepStrictEqual(storedContent(made.content), task.content)) return made;
      throw new JobsError("differs", `task ${task.id}: its trace holds another content than the chart of this number`);
    }
    const content = await contentWithImages(task.content, (image) => keptImage(directory, image));
    return { ...task, content: environment.contentSchema.parse(content) };
  });
}

/** Of a run. @throws JobsError `missing`, `invalid` */
export async function keptImage(run: string, { id, width, height }: ImageRef): Promise<Image> {
  const file = join(run, "images", `${id}.png`);
  const image = await readImage(file, { maxPixels: width * height, keepAlpha: true }).catch((cause: Error) => {
    throw new JobsError("missing", `${cause.message}; traces are verified against the images of the run`, { cause });
  });
  const identified = await identifyImage(image);
  if (identified.id !== id) throw new JobsError("invalid", `${file} holds another image than its name says`);
  return identified;
}
