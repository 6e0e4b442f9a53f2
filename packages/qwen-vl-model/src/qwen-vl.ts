// The package as most people use it: load a model with its processor, and generate text.
import { type Device, deriveSeed } from "@iapo/tensor-core";
import { type GenerationConfig, loadGenerationConfig } from "./config/generation-config.ts";
import { loadConfig } from "./config/model-config.ts";
import { QwenVLError } from "./error.ts";
import { bannedIdsOf } from "./generation/banned.ts";
import { checkGenerateOptions } from "./generation/options.ts";
import type { TokenSampling } from "./generation/request.ts";
import { Session } from "./generation/session.ts";
import { type ResolveModelOptions, resolveModel } from "./hub/index.ts";
import { encodeConversation, type Message } from "./model/encode.ts";
import { QwenVLModel } from "./model/model.ts";
import { type LoadProcessorOptions, loadProcessor } from "./processor/load.ts";
import type { Processor } from "./processor/processor.ts";
import { type LoadWeightsOptions, loadWeights } from "./weights/load.ts";

export interface LoadModelOptions extends LoadWeightsOptions, LoadProcessorOptions {
  /** How a hub id is found. */
  readonly hub?: ResolveModelOptions;
}

export interface GenerateOptions extends Partial<TokenSampling> {
  /** Default: `max_new_tokens` of `generation_config.json`, else 512. */
  readonly maxTokens?: number;
  /** Texts that end the response. */
  readonly stop?: readonly string[];
  /** The response is a function of prompt, options and this number; default 0. */
  readonly seed?: number;
  readonly signal?: AbortSignal;
}

/** A model with its processor. */
export class QwenVL {
  /** The directory it was loaded from. */
  readonly directory: string;
  readonly model: QwenVLModel;
  readonly processor: Processor;
  readonly generationConfig: GenerationConfig;

  constructor(directory: string, model: QwenVLModel, processor: Processor, generationConfig: GenerationConfig) {
    this.directory = directory;
    this.model = model;
    this.processor = processor;
    this.generationConfig = generationConfig;
  }

  /**
   * Streams the answer to a conversation as text. Sampling defaults to the checkpoint's `generation_config.json`. Leaving the loop stops the
   * generation. Throws QwenVLError for settings of that file that are not supported, for a conversation that cannot be encoded, for an option that is out of its range or unknown, and for logits
   * that are not finite.
   */
  async *generate(
    messages: readonly Message[],
    options: GenerateOptions = {},
  ): AsyncGenerator<string, void, undefined> {
    checkGenerateOptions(options);
    const { tokenizer } = this.processor;
    const defaults = this.generationConfig;
    if (defaults.unsupported.length > 0) {
      const [place, settings] = [`${this.directory}/generation_config.json`, defaults.unsupported.join("; ")];
      throw new QwenVLError("config", `${place}: ${settings}: not supported; remove it to generate without`);
    }
    const temperature = options.temperature ?? (defaults.doSample === false ? 0 : (defaults.temperature ?? 1));
    const stop = {
      ids: this.processor.stopIds,
      strings: options.stop,
      decode: (ids: ArrayLike<number>) => tokenizer.decode(ids),
      maxTokens: options.maxTokens ?? defaults.maxNewTokens ?? 512,
    };
    const sampling = {
      temperature,
      topP: options.topP ?? defaults.topP,
      topK: options.topK ?? defaults.topK,
      bias: options.bias,
      repetitionPenalty: options.repetitionPenalty ?? defaults.repetitionPenalty,
      bannedIds: options.bannedIds ?? bannedIdsOf(this.model.config, tokenizer.size),
    };
    const prompt = await encodeConversation(this.processor, messages);
    const decoder = tokenizer.streamingDecoder({ skipSpecialTokens: true });
    const texts: string[] = [];
    const left = new AbortController();
    let wake = (): void => {};
    let finished = false;
    using session = await Session.open(this.model, [prompt], { signal: options.signal });
    const running = session
      .generate({
        samples: 1,
        sampling,
        seeds: [deriveSeed("generate", options.seed ?? 0)],
        stop,
        signal: options.signal ? AbortSignal.any([options.signal, left.signal]) : left.signal,
        onTokens: (_, tokens) => {
          texts.push(tokens.map((id) => decoder.push(id)).join(""));
          wake();
        },
      })
      .finally(() => {
        finished = true;
        wake();
      });
    try {
      while (!finished || texts.length > 0) {
        const text = texts.shift();
        if (text) yield text;
        else if (!finished) await new Promise<void>((resolve) => (wake = resolve));
      }
      await running;
      const rest = decoder.end();
      if (rest) yield rest;
    } finally {
      left.abort();
      await running.catch(() => {});
    }
  }

  dispose(): void {
    this.model.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

/**
 * Loads a checkpoint directory or a hub id (`Qwen/Qwen2.5-VL-3B-Instruct`) with its processor.
 * @throws QwenVLError, SafetensorsError, TensorError `out_of_memory`.
 */
export async function loadModel(device: Device, source: string, options: LoadModelOptions = {}): Promise<QwenVL> {
  const directory = await resolveModel(source, options.hub);
  const config = await loadConfig(directory);
  const processor = await loadProcessor(directory, options);
  const generationConfig = await loadGenerationConfig(directory);
  const weights = await loadWeights(device, config, directory, options);
  return new QwenVL(directory, new QwenVLModel(config, weights), processor, generationConfig);
}
