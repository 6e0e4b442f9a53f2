// The list of model families, by Hugging Face's `model_type`; towers.ts has their vision towers. A family is a folder beside this file.
import type { QwenVLConfig } from "../config/types.ts";
import { QwenVLError } from "../error.ts";
import type { Family } from "./family.ts";
import { MODEL_TYPE as QWEN_2_5_VL } from "./qwen2-5-vl/config.ts";
import { qwen25VL } from "./qwen2-5-vl/family.ts";
import { knownConfigs as qwen25VLConfigs } from "./qwen2-5-vl/known-configs.ts";
import { MODEL_TYPE as QWEN_3_VL } from "./qwen3-vl/config.ts";
import { qwen3VL } from "./qwen3-vl/family.ts";
import { knownConfigs as qwen3VLConfigs } from "./qwen3-vl/known-configs.ts";

export const families: ReadonlyMap<string, Family> = new Map<string, Family>([
  [QWEN_2_5_VL, qwen25VL],
  [QWEN_3_VL, qwen3VL],
]);

/** Configurations by name: published sizes, and small shapes that hold random weights only where somebody trains them. */
export const knownConfigs = { ...qwen25VLConfigs, ...qwen3VLConfigs } as const;

export type KnownConfigName = keyof typeof knownConfigs;

/** The family of a configuration. @throws QwenVLError `config` for a `modelType` that is none */
export function familyOf({ modelType }: Pick<QwenVLConfig, "modelType">): Family {
  const family = families.get(modelType);
  if (!family) throw new QwenVLError("config", `${JSON.stringify(modelType)} is no family of this package`);
  return family;
}
