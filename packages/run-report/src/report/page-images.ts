// The images of a run, read without trust, as a page holds them.
import { type ImageRef, identifyImage, type RawImage } from "@iapo/rollout-trace";
import { imagePath } from "@iapo/rollout-trace/files";
import { encodePng, pngDataUrl, readImage } from "@iapo/visual-tools/sharp";

/** Images for a page as PNG data URIs, until `budget` bytes of them are taken. */
export class PageImages {
  readonly uris: Record<string, string> = {};
  /** Ids of those for which no room was left. */
  readonly leftOut = new Set<string>();
  /** Ids of those that are missing, too large, damaged, or not what their names say. */
  readonly refused = new Set<string>();
  #budget: number;

  constructor(budget: number) {
    this.#budget = budget;
  }

  /** Never throws: what is wrong with one image does not cost the page. */
  async take(run: string, ref: ImageRef): Promise<void> {
    const { id } = ref;
    if (Object.hasOwn(this.uris, id) || this.refused.has(id) || this.leftOut.has(id)) return;
    const uri = await readAsUri(run, ref).catch(() => undefined);
    if (uri === undefined) this.refused.add(id);
    else if (uri.length > this.#budget) this.leftOut.add(id);
    else {
      this.#budget -= uri.length;
      this.uris[id] = uri;
    }
  }
}

async function readAsUri(run: string, ref: ImageRef): Promise<string | undefined> {
  const image = await readKept(run, ref);
  return image && (await pngDataUrl(image));
}

/** The image as a fresh PNG of its pixels, read without trust. Undefined where the file is none, or another one than its name says. */
export async function readKeptPng(run: string, ref: ImageRef): Promise<Buffer | undefined> {
  const image = await readKept(run, ref).catch(() => undefined);
  return image && Buffer.from(await encodePng(image));
}

/** Undefined where the file holds another image than its name says; a trace may ask for no more pixels than the reader takes at all. */
async function readKept(run: string, { id, width, height }: ImageRef): Promise<RawImage | undefined> {
  const image = await readImage(imagePath(run, id), { maxPixels: width * height, keepAlpha: true });
  return (await identifyImage(image)).id === id ? image : undefined;
}
