// The vision tower of each family of registry.ts. They stand apart, as configurations and processors load no GPU code.
import type { QwenVLConfig } from "../config/types.ts";
import { QwenVLError } from "../error.ts";
import type { Tower } from "../model/tower.ts";
import { MODEL_TYPE as QWEN_2_5_VL } from "./qwen2-5-vl/config.ts";
import { qwen25Tower } from "./qwen2-5-vl/tower.ts";
import { MODEL_TYPE as QWEN_3_VL } from "./qwen3-vl/config.ts";
import { qwen3Tower } from "./qwen3-vl/tower.ts";

const towers: ReadonlyMap<string, Tower> = new Map<string, Tower>([
  [QWEN_2_5_VL, qwen25Tower],
  [QWEN_3_VL, qwen3Tower],
]);

/** @throws QwenVLError `config` for a `modelType` without one */
export function towerOf({ modelType }: Pick<QwenVLConfig, "modelType">): Tower {
  const tower = towers.get(modelType);
  if (!tower) throw new QwenVLError("config", `${JSON.stringify(modelType)} is no family of this package`);
  return tower;
}
