/** Builds a processor from the files of a checkpoint directory. */
import { isObject, readJsonFile, readTextFile } from "../config/json-file.ts";
import { loadConfig } from "../config/model-config.ts";
import { loadPreprocessorConfig } from "../config/preprocessor-config.ts";
import { QwenVLError } from "../error.ts";
import { ChatTemplate } from "./chat-template.ts";
import { Processor } from "./processor.ts";
import { Tokenizer } from "./tokenizer.ts";

/** Qwen's own file takes 7 MB. */
const MAX_TOKENIZER_BYTES = 64 * 2 ** 20;

export interface LoadProcessorOptions {
  /** Replaces the file's limit. Published checkpoints allow 12,845,056 pixels; the trainer uses `DEFAULT_MAX_PIXELS`. */
  readonly maxPixels?: number;
  readonly minPixels?: number;
}

/**
 * Reads `config.json` and `tokenizer.json`, and where they exist `preprocessor_config.json` and a chat template (`chat_template.jinja`,
 * `chat_template.json` or `tokenizer_config.json`, in this order).
 * @throws QwenVLError
 */
export async function loadProcessor(directory: string, options: LoadProcessorOptions = {}): Promise<Processor> {
  const config = await loadConfig(directory);
  const fromFile = await loadPreprocessorConfig(directory, config.vision);
  const maxPixels = options.maxPixels ?? fromFile.maxPixels;
  const minPixels = options.minPixels ?? Math.min(fromFile.minPixels, maxPixels);
  if (minPixels > maxPixels)
    throw new QwenVLError("config", `minPixels ${minPixels} is more than maxPixels ${maxPixels}`);
  const file = `${directory}/tokenizer.json`;
  const json = await readJsonFile(file, MAX_TOKENIZER_BYTES);
  if (json === undefined) throw new QwenVLError("tokenizer", `${file}: there is no such file`);
  return new Processor({
    config,
    preprocessor: { ...fromFile, minPixels, maxPixels },
    tokenizer: new Tokenizer(json, file),
    chatTemplate: await loadChatTemplate(directory),
  });
}

async function loadChatTemplate(directory: string): Promise<ChatTemplate> {
  const jinja = `${directory}/chat_template.jinja`;
  const source = await readTextFile(jinja);
  if (source !== undefined) return new ChatTemplate(source, jinja);
  for (const name of ["chat_template.json", "tokenizer_config.json"]) {
    const file = `${directory}/${name}`;
    const json = await readJsonFile(file);
    if (isObject(json) && typeof json.chat_template === "string") return new ChatTemplate(json.chat_template, file);
  }
  return new ChatTemplate();
}
