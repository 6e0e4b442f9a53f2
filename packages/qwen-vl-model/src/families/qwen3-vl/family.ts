// Qwen3-VL, the dense sizes: docs/qwen3-vl.md section 1.
import type { Family } from "../family.ts";
import { chatTemplate } from "./chat-template.ts";
import { parseConfig, type Qwen3VisionConfig, writeConfig } from "./config.ts";
import { checkpointName, visionTensors } from "./tensors.ts";

export const qwen3VL: Family<Qwen3VisionConfig> = {
  parseConfig,
  writeConfig,
  visionTensors,
  checkpointName,
  preprocessor: {
    minPixels: 65_536, // 64 cells of 32 x 32
    maxPixels: 16_777_216,
    imageMean: [0.5, 0.5, 0.5],
    imageStd: [0.5, 0.5, 0.5],
  },
  chatTemplate,
};
