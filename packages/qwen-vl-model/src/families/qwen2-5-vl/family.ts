// Qwen2.5-VL: docs/qwen2.5-vl.md section 1.
import type { Family } from "../family.ts";
import { chatTemplate } from "./chat-template.ts";
import { parseConfig, type Qwen25VisionConfig, writeConfig } from "./config.ts";
import { visionTensors } from "./tensors.ts";

export const qwen25VL: Family<Qwen25VisionConfig> = {
  parseConfig,
  writeConfig,
  visionTensors,
  checkpointName: (name) => name,
  preprocessor: {
    minPixels: 3136, // 56 x 56
    maxPixels: 1_003_520, // 1280 cells of 28 x 28
    imageMean: [0.48145466, 0.4578275, 0.40821073],
    imageStd: [0.26862954, 0.26130258, 0.27577711],
  },
  chatTemplate,
};
