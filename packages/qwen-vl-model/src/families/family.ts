// What the rest of the package asks of a model family without loading GPU code; its vision tower is in towers.ts.
import type { JsonObject } from "../config/json-file.ts";
import type { QwenVLConfig, TensorSpec, VisionConfig } from "../config/types.ts";

/** How images become patches where the checkpoint's files do not say. */
export interface PreprocessorDefaults {
  readonly minPixels: number;
  readonly maxPixels: number;
  readonly imageMean: readonly [number, number, number];
  readonly imageStd: readonly [number, number, number];
}

export interface Family<Vision extends VisionConfig = VisionConfig> {
  /** The record of a `config.json` of this family, nulls removed. @throws QwenVLError `config`, naming file and field */
  parseConfig(json: JsonObject, file: string): QwenVLConfig<Vision>;
  /** The content of a `config.json` that this package and Hugging Face's loaders read. */
  writeConfig(config: QwenVLConfig<Vision>): Record<string, unknown>;
  /** The tower's tensors, in the order in which the forward pass meets them. */
  visionTensors(vision: Vision): TensorSpec[];
  /** The name under which checkpoints of this family are published, from this package's (`visual.`, `model.`, `lm_head.`). */
  checkpointName(name: string): string;
  readonly preprocessor: PreprocessorDefaults;
  /** Jinja that renders what the published template renders, for checkpoints that bring none. */
  readonly chatTemplate: string;
}
