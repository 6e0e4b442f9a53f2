// How an image becomes patches: `preprocessor_config.json`, or `processor_config.json` as transformers 5 writes it.
import { z } from "zod";
import { QwenVLError } from "../error.ts";
import { familyOf } from "../families/registry.ts";
import { readJsonFile, readJsonObject, validate } from "./json-file.ts";
import type { QwenVLConfig } from "./types.ts";

export interface PreprocessorConfig {
  readonly minPixels: number;
  readonly maxPixels: number;
  readonly patchSize: number;
  readonly temporalPatchSize: number;
  readonly mergeSize: number;
  /** Per channel (red, green, blue), in units of 0 to 1. */
  readonly imageMean: readonly [number, number, number];
  readonly imageStd: readonly [number, number, number];
  readonly rescaleFactor: number;
}

const pixels = z
  .int()
  .min(1)
  .max(2 ** 31);
const on = z.literal(true, { error: "switching this step off is not supported" }).nullish();
const SIZE_FORM = "expected areas in pixels: shortest_edge and longest_edge, or min_pixels and max_pixels";
const schema = z.object({
  min_pixels: pixels.nullish(),
  max_pixels: pixels.nullish(),
  size: z
    .strictObject(
      {
        shortest_edge: pixels.nullish(),
        longest_edge: pixels.nullish(),
        min_pixels: pixels.nullish(),
        max_pixels: pixels.nullish(),
      },
      { error: ({ code }) => (code === "unrecognized_keys" || code === "invalid_type" ? SIZE_FORM : undefined) },
    )
    .nullish(),
  patch_size: z.int().min(1).max(1024).nullish(),
  temporal_patch_size: z.int().min(1).max(16).nullish(),
  merge_size: z.int().min(1).max(16).nullish(),
  image_mean: z.tuple([z.number(), z.number(), z.number()]).nullish(),
  image_std: z.tuple([z.number().positive(), z.number().positive(), z.number().positive()]).nullish(),
  rescale_factor: z.number().positive().nullish(),
  resample: z.literal([3, "bicubic"], { error: "only 3 (bicubic) is supported" }).nullish(),
  do_resize: on,
  do_rescale: on,
  do_normalize: on,
  do_convert_rgb: on,
});

/**
 * The settings from parsed JSON, and its family's where it says nothing; the patch sizes must be those of the model. `min_pixels` and `max_pixels` win over `size`, whose
 * "edges" are areas too. A `size` of another form is refused.
 * @throws QwenVLError `config`, naming file and field.
 */
export function parsePreprocessorConfig(
  json: unknown,
  config: QwenVLConfig,
  file = "preprocessor_config.json",
): PreprocessorConfig {
  const { vision } = config;
  const defaults = familyOf(config).preprocessor;
  const raw = validate(schema, json, file);
  const expected = {
    patch_size: vision.patchSize,
    temporal_patch_size: vision.temporalPatchSize,
    merge_size: vision.spatialMergeSize,
  };
  for (const [key, value] of Object.entries(expected) as [keyof typeof expected, number][]) {
    if ((raw[key] ?? value) !== value) {
      throw new QwenVLError("config", `${file}: ${key}: ${raw[key]} is not the model's ${value}`);
    }
  }
  const { size } = raw;
  const minPixels = raw.min_pixels ?? size?.shortest_edge ?? size?.min_pixels ?? defaults.minPixels;
  const maxPixels = raw.max_pixels ?? size?.longest_edge ?? size?.max_pixels ?? defaults.maxPixels;
  if (minPixels > maxPixels) {
    throw new QwenVLError("config", `${file}: min_pixels: ${minPixels} is more than max_pixels ${maxPixels}`);
  }
  return {
    minPixels,
    maxPixels,
    patchSize: vision.patchSize,
    temporalPatchSize: vision.temporalPatchSize,
    mergeSize: vision.spatialMergeSize,
    imageMean: raw.image_mean ?? defaults.imageMean,
    imageStd: raw.image_std ?? defaults.imageStd,
    rescaleFactor: raw.rescale_factor ?? 1 / 255,
  };
}

/**
 * Reads both files of a directory; `image_processor` of `processor_config.json` wins, as in transformers. Without either the defaults hold.
 * @throws QwenVLError for what is wrong in any of them
 */
export async function loadPreprocessorConfig(directory: string, model: QwenVLConfig): Promise<PreprocessorConfig> {
  const file = `${directory}/preprocessor_config.json`;
  const config = parsePreprocessorConfig((await readJsonFile(file)) ?? {}, model, file);
  const newer = `${directory}/processor_config.json`;
  const nested = (await readJsonObject(newer))?.image_processor ?? undefined;
  return nested === undefined ? config : parsePreprocessorConfig(nested, model, `${newer}: image_processor`);
}
