// The images of a run: `images/<id>.png`, named by what a model saw of them.
import { mkdir, stat } from "node:fs/promises";
import { join } from "node:path";
import type { Recipe } from "@iapo/grpo";
import { type Image, type ImageRef, identifyImage, type Trace } from "@iapo/rollout-trace";
import { encodePng, readImage, writeImage } from "@iapo/visual-tools/sharp";

function imagePath(run: string, id: string): string {
  return join(run, "images", `${id}.png`);
}

/** Keeps the images of tasks and tools of these traces, each once. */
async function keepImages(run: string, traces: readonly Trace[]): Promise<void> {
  const images = new Map<string, Image>();
  for (const { task, toolOutcomes } of traces) {
    images.set(task.image.id, task.image);
    for (const { image } of toolOutcomes) if (image) images.set(image.id, image);
  }
  await mkdir(join(run, "images"), { recursive: true });
  for (const [id, image] of images) {
    const path = imagePath(run, id);
    const isKept = await stat(path).then(
      () => true,
      () => false,
    );
    if (!isKept) await writeImage(path, image);
  }
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

/** Images for a page as PNG data URIs, until `budget` bytes of them are taken. What is not there, or is not what its name says, is left out. */
export class PageImages {
  readonly uris: Record<string, string> = {};
  /** Images for which no room was left. */
  leftOut = 0;
  #budget: number;

  constructor(budget: number) {
    this.#budget = budget;
  }

  async take(run: string, { id, width, height }: ImageRef): Promise<void> {
    if (Object.hasOwn(this.uris, id)) return;
    const image = await readImage(imagePath(run, id), { maxPixels: width * height }).catch(() => undefined);
    if (image === undefined || (await identifyImage(image)).id !== id) return;
    const uri = `data:image/png;base64,${Buffer.from(await encodePng(image)).toString("base64")}`;
    if (uri.length > this.#budget) {
      this.leftOut++;
      return;
    }
    this.#budget -= uri.length;
    this.uris[id] = uri;
  }
}
