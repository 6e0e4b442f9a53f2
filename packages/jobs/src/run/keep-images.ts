// The images of a run are kept beside its steps, named by what a model saw of them.
import { stat } from "node:fs/promises";
import { dirname } from "node:path";
import type { Recipe } from "@iapo/grpo";
import { type Image, imagesOfContent, type Trace } from "@iapo/rollout-trace";
import { imagePath, makeFolder } from "@iapo/rollout-trace/files";
import { writeImage } from "@iapo/visual-tools/sharp";

/** Keeps the images of tasks and tools of these traces, each once. */
async function keepImages(run: string, traces: readonly Trace[]): Promise<void> {
  const images = new Map<string, Image>();
  for (const { task, toolOutcomes } of traces) {
    for (const image of imagesOfContent(task.content)) images.set(image.id, image);
    for (const { image } of toolOutcomes) if (image) images.set(image.id, image);
  }
  const folder = dirname(imagePath(run, ""));
  await makeFolder(folder);
  await Promise.all(Array.from(images, ([id, image]) => keepImage(imagePath(run, id), image)));
}

async function keepImage(path: string, image: Image): Promise<void> {
  const isKept = await stat(path).then(
    () => true,
    () => false,
  );
  if (!isKept) await writeImage(path, image);
}

/** A recipe whose steps keep their images, before the step's file refers to them. */
export function keepingImages<R extends Recipe>(recipe: R, run: string): R {
  return {
    ...recipe,
    async step(place) {
      const made = await recipe.step(place);
      await keepImages(run, made.traces);
      return made;
    },
  };
}
