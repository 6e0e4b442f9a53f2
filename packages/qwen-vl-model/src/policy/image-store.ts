// Patches of images by the images' names: what a rollout has processed, scoring and updates use again.
import { createHash } from "node:crypto";
import type { Image, Turn } from "@iapo/rollout-trace";
import { QwenVLError } from "../error.ts";
import type { EncodedImage } from "../model/pack.ts";
import { repeatFrames } from "../processor/frames.ts";
import type { Processor } from "../processor/processor.ts";

/** An image as the vision tower takes it, with the SHA-256 of its patch values as the published processor writes them. */
export interface StoredImage extends EncodedImage {
  readonly patchesId: string;
}

const DEFAULT_BYTES = 256 * 2 ** 20;

/** Keeps the latest images; one that fell out is processed again, to the same values. */
export class ImageStore {
  readonly #processor: Processor;
  readonly #limit: number;
  /** Least recently used first. */
  readonly #images = new Map<string, StoredImage>();
  #bytes = 0;
  /** How often an image was turned into patches. */
  processed = 0;

  /** @param limit bytes of patches that are kept; default 256 MiB */
  constructor(processor: Processor, limit: number = DEFAULT_BYTES) {
    this.#processor = processor;
    this.#limit = limit;
  }

  /** @throws QwenVLError `image` */
  get(image: Image): StoredImage {
    const known = this.#images.get(image.id);
    if (known) {
      this.#images.delete(image.id);
      this.#images.set(image.id, known);
      return known;
    }
    const patches = this.#processor.processImage(image);
    const { temporalPatchSize, patchSize } = this.#processor.preprocessor;
    const published = repeatFrames(patches, temporalPatchSize, patchSize ** 2);
    const patchesId = createHash("sha256").update(new Uint8Array(published.buffer)).digest("hex");
    const stored = { ...patches, id: image.id, patchesId };
    this.processed++;
    this.#images.set(image.id, stored);
    this.#bytes += patches.values.byteLength;
    for (const [id, { values }] of this.#images) {
      if (this.#bytes <= this.#limit || id === image.id) break;
      this.#images.delete(id);
      this.#bytes -= values.byteLength;
    }
    return stored;
  }
}

/**
 * The images of turns as the vision tower takes them, by the model of `store`.
 * @throws QwenVLError `image`, on use, for one of which this model's processor makes other patches than the turn records
 */
export function imagesOf(store: ImageStore, turns: readonly Turn[]): (image: Image) => StoredImage {
  const recorded = new Map(turns.flatMap(({ images, patches }) => images.map((image, i) => [image.id, patches?.[i]])));
  return (image) => {
    const stored = store.get(image);
    const patches = recorded.get(image.id);
    if (patches === undefined || patches === stored.patchesId) return stored;
    throw new QwenVLError(
      "image",
      `image ${image.id} has other patches in the turn than this model's processor makes: both models need the same preprocessor_config.json`,
    );
  };
}
