// The images of a run, read without trust, as a page holds them.
import { type ImageRef, identifyImage } from "@iapo/rollout-trace";
import { imagePath } from "@iapo/rollout-trace/files";
import { pngDataUrl, readImage } from "@iapo/visual-tools/sharp";

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
    const image = await readImage(imagePath(run, id), { maxPixels: width * height, keepAlpha: true }).catch(
      () => undefined,
    );
    if (image === undefined || (await identifyImage(image)).id !== id) return;
    const uri = await pngDataUrl(image);
    if (uri.length > this.#budget) {
      this.leftOut++;
      return;
    }
    this.#budget -= uri.length;
    this.uris[id] = uri;
  }
}
