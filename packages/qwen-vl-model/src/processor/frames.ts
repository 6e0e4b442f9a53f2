// A still image is equal frames to the published model: one is kept, and all are written only where they are asked for.
import type { ImagePatches } from "./image.ts";

/**
 * Patch values with `frames` equal frames in place of one: the `pixel_values` of the published processor.
 * @param area pixels of a patch
 */
export function repeatFrames(
  { values, frames: kept }: ImagePatches,
  frames: number,
  area: number,
): Float32Array<ArrayBuffer> {
  if (kept === frames) return values;
  const repeated = new Float32Array(values.length * frames);
  for (let from = 0, to = 0; from < values.length; from += area) {
    const frame = values.subarray(from, from + area);
    for (let i = 0; i < frames; i++, to += area) repeated.set(frame, to);
  }
  return repeated;
}
