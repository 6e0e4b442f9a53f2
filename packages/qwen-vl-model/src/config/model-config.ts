// `config.json` in all the shapes it is found in: its `model_type` names the family, which reads it to one strict record.
import { QwenVLError } from "../error.ts";
import { families, familyOf } from "../families/registry.ts";
import { loadGenerationConfig } from "./generation-config.ts";
import { isObject, readJsonFile, withoutNulls } from "./json-file.ts";
import { configFault } from "./text-config.ts";
import type { QwenVLConfig } from "./types.ts";

/**
 * Reads `config.json` of a checkpoint directory; a padding token that it does not name is taken from `generation_config.json`.
 * @throws QwenVLError `config` or `io`.
 */
export async function loadConfig(directory: string): Promise<QwenVLConfig> {
  const file = `${directory}/config.json`;
  const json = await readJsonFile(file);
  if (json === undefined) throw new QwenVLError("config", `${file}: there is no such file`);
  const config = parseConfig(json, file);
  if (config.tokens.pad !== undefined) return config;
  const { padTokenId: pad } = await loadGenerationConfig(directory);
  if (pad === undefined || pad < 0 || pad >= config.text.vocabSize) return config;
  return { ...config, tokens: { ...config.tokens, pad } };
}

/**
 * A configuration from parsed JSON.
 * @param file named in errors
 * @throws QwenVLError `config`, naming file and field.
 */
export function parseConfig(json: unknown, file = "config.json"): QwenVLConfig {
  if (!isObject(json)) throw new QwenVLError("config", `${file}: not a JSON object`);
  const family = families.get(String(json.model_type));
  if (family === undefined) {
    const known = [...families.keys()].map((type) => JSON.stringify(type)).join(" and ");
    throw configFault(file, "model_type", `only ${known} are supported, not ${JSON.stringify(json.model_type)}`);
  }
  return family.parseConfig(withoutNulls(json), file);
}

/** The content of a `config.json` that this package and Hugging Face's loaders of every version read. */
export function writeConfig(config: QwenVLConfig): Record<string, unknown> {
  return familyOf(config).writeConfig(config);
}
