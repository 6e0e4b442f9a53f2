// Builds a processor from the files of a checkpoint directory.
import { type GenerationConfig, loadGenerationConfig } from "../config/generation-config.ts";
import { isObject, type JsonObject, readJsonFile, readJsonObject, readTextFile } from "../config/json-file.ts";
import { loadConfig } from "../config/model-config.ts";
import { loadPreprocessorConfig, type PreprocessorConfig } from "../config/preprocessor-config.ts";
import type { QwenVLConfig } from "../config/types.ts";
import { QwenVLError } from "../error.ts";
import { familyOf } from "../families/registry.ts";
import { ChatTemplate, type TemplateTokens } from "./chat-template.ts";
import { Processor } from "./processor.ts";
import { Tokenizer } from "./tokenizer.ts";

/** Qwen's own file takes 7 MB. */
const MAX_TOKENIZER_BYTES = 64 * 2 ** 20;
/** Far above any image. */
const MAX_PIXELS = 2 ** 31;

export interface LoadProcessorOptions {
  /** Replaces the file's limit. Published checkpoints allow 12,845,056 pixels and more. */
  readonly maxPixels?: number | undefined;
  readonly minPixels?: number | undefined;
}

/**
 * Reads `config.json` and `tokenizer.json`, and where they exist `generation_config.json`, `preprocessor_config.json`, `tokenizer_config.json`
 * and a chat template (`chat_template.jinja`, `chat_template.json`, `processor_config.json` or `tokenizer_config.json`, in this order).
 * @throws QwenVLError
 */
export async function loadProcessor(directory: string, options: LoadProcessorOptions = {}): Promise<Processor> {
  const config = await loadConfig(directory);
  const preprocessor = limited(await loadPreprocessorConfig(directory, config), options);
  const file = `${directory}/tokenizer.json`;
  const json = await readJsonFile(file, MAX_TOKENIZER_BYTES);
  if (json === undefined) {
    const advice =
      "AutoTokenizer.from_pretrained(...).save_pretrained(...) of transformers makes it from vocab.json and merges.txt";
    throw new QwenVLError("tokenizer", `${file}: there is no such file; ${advice}`);
  }
  const tokenizer = new Tokenizer(json, file);
  const tokenizerConfig = await readJsonObject(`${directory}/tokenizer_config.json`);
  const named = namedTokens(tokenizerConfig);
  const chatTemplate = await loadChatTemplate(directory, config, tokenizerConfig, named);
  const stopIds = stopIdsOf(directory, config, await loadGenerationConfig(directory), tokenizer, named);
  if (stopIds.length === 0) {
    const files = "generation_config.json, config.json and tokenizer_config.json";
    throw new QwenVLError(
      "config",
      `${directory}: ${files} name no token that ends a response (eos_token_id, eos_token)`,
    );
  }
  return new Processor({ config, preprocessor, tokenizer, chatTemplate, stopIds });
}

function limited(fromFile: PreprocessorConfig, options: LoadProcessorOptions): PreprocessorConfig {
  for (const name of ["minPixels", "maxPixels"] as const) {
    const value = options[name];
    if (value === undefined || (Number.isSafeInteger(value) && value >= 1 && value <= MAX_PIXELS)) continue;
    throw new QwenVLError(
      "config",
      `${name}: expected a whole number from 1 to ${MAX_PIXELS}, got ${JSON.stringify(value) ?? value}`,
    );
  }
  const maxPixels = options.maxPixels ?? fromFile.maxPixels;
  const minPixels = options.minPixels ?? Math.min(fromFile.minPixels, maxPixels);
  if (minPixels > maxPixels)
    throw new QwenVLError("config", `minPixels ${minPixels} is more than maxPixels ${maxPixels}`);
  return { ...fromFile, minPixels, maxPixels };
}

/** Those of `config.json`, then those that `generation_config.json` adds; where neither names one, the `eos_token` of the tokenizer. */
function stopIdsOf(
  directory: string,
  config: QwenVLConfig,
  generation: GenerationConfig,
  tokenizer: Tokenizer,
  named: TemplateTokens,
): number[] {
  const ids = [...new Set([...config.tokens.eos, ...generation.eosTokenIds])];
  const foreign = ids.find((id) => id >= config.text.vocabSize);
  if (foreign !== undefined) {
    const place = `${directory}/generation_config.json: eos_token_id`;
    throw new QwenVLError("config", `${place}: ${foreign} is not below vocab_size ${config.text.vocabSize}`);
  }
  const fallback = tokenizer.specialTokens.get(named.eos_token ?? "");
  return ids.length > 0 || fallback === undefined ? ids : [fallback];
}

/** `bos_token`, `eos_token` and their like: a text, or an object with the text as its content. */
function namedTokens(json: JsonObject = {}): TemplateTokens {
  const entries = Object.entries(json).map(([key, value]) => {
    return [key, isObject(value) ? value.content : value] as const;
  });
  const isNamed = (entry: readonly [string, unknown]): entry is [string, string] =>
    entry[0].endsWith("_token") && typeof entry[1] === "string";
  return Object.fromEntries(entries.filter(isNamed));
}

async function loadChatTemplate(
  directory: string,
  config: QwenVLConfig,
  tokenizerConfig: JsonObject | undefined,
  tokens: TemplateTokens,
): Promise<ChatTemplate> {
  const jinja = `${directory}/chat_template.jinja`;
  const source = await readTextFile(jinja);
  if (source !== undefined) return new ChatTemplate(source, jinja, tokens);
  const beside = `${directory}/chat_template.json`;
  const newer = `${directory}/processor_config.json`;
  const files = [
    [beside, await readJsonObject(beside)],
    [newer, await readJsonObject(newer)],
    [`${directory}/tokenizer_config.json`, tokenizerConfig],
  ] as const;
  for (const [file, json] of files) {
    const template = templateIn(json, file);
    if (template !== undefined) return new ChatTemplate(template, file, tokens);
  }
  return new ChatTemplate(familyOf(config).chatTemplate, undefined, tokens);
}

/** Of named templates, in a list or an object, the one called default. @throws QwenVLError `template` for another form */
function templateIn(json: JsonObject | undefined, file: string): string | undefined {
  const found = json?.chat_template ?? undefined;
  if (found === undefined || typeof found === "string") return found;
  const list: unknown[] = Array.isArray(found) ? found : [];
  const pairs = isObject(found)
    ? Object.entries(found)
    : list.map((item) => (isObject(item) ? [item.name, item.template] : []));
  const [, template] = pairs.find(([name]) => name === "default") ?? [];
  if (typeof template === "string") return template;
  const names = pairs.map(([name]) => JSON.stringify(name)).join(", ") || "nothing";
  throw new QwenVLError(
    "template",
    `${file}: chat_template: expected a text, or named texts of which one is "default"; there is ${names}`,
  );
}
