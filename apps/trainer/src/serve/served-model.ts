// A model that answers chat requests one after the other: the tokens of an answer, its log-probs, and the prompt's exact tokens.
import { randomInt } from "node:crypto";
import { basename, resolve } from "node:path";
import {
  type Adapter,
  bannedIdsOf,
  encodeConversation,
  type GeneratedTurn,
  loadAdapter,
  loadModel,
  type QwenVL,
  QwenVLError,
  Session,
} from "@iapo/qwen-vl-model";
import { type Device, deriveSeed } from "@iapo/tensor-core";
import { TrainerError } from "../error.ts";
import type { ChatRequest } from "./chat-request.ts";
import { type LikelyToken, likeliestTokens } from "./likeliest.ts";
import { ServeError } from "./serve-error.ts";

export type Prompt = Awaited<ReturnType<typeof encodeConversation>>;

/** How an answer was sampled. */
export interface AnswerSampling {
  readonly temperature: number;
  readonly topP: number | undefined;
  readonly topK: number | undefined;
  readonly bannedIds: readonly number[];
}

export interface Answers {
  readonly prompt: Prompt;
  readonly sampling: AnswerSampling;
  /** One for each sample. */
  readonly turns: readonly GeneratedTurn[];
  /** Of each turn and token, where they are asked for. */
  readonly likeliest: readonly (readonly (readonly LikelyToken[])[])[];
}

/** Hears new tokens of a sample, and their log-probs. */
type OnTokens = (sample: number, ids: readonly number[], logProbs: readonly number[]) => void;

export class ServedModel {
  readonly qwen: QwenVL;
  /** By the name that requests give: the model itself, and with each adapter. */
  readonly #adapters: ReadonlyMap<string, Adapter | undefined>;
  #last: Promise<unknown> = Promise.resolve();

  private constructor(qwen: QwenVL, adapters: ReadonlyMap<string, Adapter | undefined>) {
    this.qwen = qwen;
    this.#adapters = adapters;
  }

  /** @throws TrainerError `argument` where two have one name; QwenVLError; the reason of the signal; nothing is left on the device then */
  static async load(
    device: Device,
    directory: string,
    adapterDirectories: readonly string[],
    signal: AbortSignal,
  ): Promise<ServedModel> {
    const nameOf = (path: string): string => basename(resolve(path));
    const names = [directory, ...adapterDirectories].map(nameOf);
    const twice = names.find((name, i) => names.indexOf(name) !== i);
    if (twice !== undefined)
      throw new TrainerError("argument", `two of the directories are called ${twice}: requests choose by that name`);
    const qwen = await loadModel(device, directory, { signal });
    const adapters = new Map<string, Adapter | undefined>([[nameOf(directory), undefined]]);
    try {
      for (const path of adapterDirectories) {
        signal.throwIfAborted();
        adapters.set(nameOf(path), await loadAdapter(device, qwen.model.config, path));
      }
      return new ServedModel(qwen, adapters);
    } catch (error) {
      for (const adapter of adapters.values()) adapter?.dispose();
      qwen.dispose();
      throw error;
    }
  }

  get names(): readonly string[] {
    return [...this.#adapters.keys()];
  }

  /**
   * Answers when those before it are done.
   * @throws ServeError for what this model cannot answer; the reason of the signal
   */
  answer(request: ChatRequest, signal: AbortSignal, onTokens: OnTokens): Promise<Answers> {
    const answered = this.#last.then(() => this.#answer(request, signal, onTokens));
    this.#last = answered.catch(() => {});
    return answered;
  }

  async #answer(request: ChatRequest, signal: AbortSignal, onTokens: OnTokens): Promise<Answers> {
    signal.throwIfAborted();
    const { model: name, samples, seed = randomInt(2 ** 31), stop, topLogProbs } = request;
    if (!this.#adapters.has(name)) {
      const known = this.names.join(", ");
      throw new ServeError(404, "model_not_found", `there is no model ${name} here; there is ${known}`, "model");
    }
    const { model, processor, generationConfig: defaults } = this.qwen;
    const { tokenizer } = processor;
    const prompt = await encodeConversation(processor, request.messages).catch((cause: Error) => {
      if (!(cause instanceof QwenVLError)) throw cause;
      throw new ServeError(400, "invalid_prompt", cause.message, "messages");
    });
    const sampling = {
      temperature: request.temperature ?? (defaults.doSample === false ? 0 : (defaults.temperature ?? 1)),
      topP: request.topP ?? defaults.topP,
      topK: request.topK ?? defaults.topK,
      bannedIds: bannedIdsOf(model.config, tokenizer.size),
    };
    const maxTokens = this.#maxTokens(prompt, request.maxTokens);
    model.adapter = this.#adapters.get(name);
    using session = await Session.open(model, [prompt], { signal });
    const turns = await session.generate({
      ...{ samples, sampling, signal, onTokens },
      seeds: Array.from({ length: samples }, (_, i) => deriveSeed("serve", seed, i)),
      stop: {
        ids: processor.stopIds,
        ...(stop.length > 0 && { strings: stop }),
        decode: (ids) => tokenizer.decode(ids, { skipSpecialTokens: true }),
        maxTokens,
      },
    });
    const likeliest = topLogProbs > 0 ? await likeliestTokens(model, prompt, turns, sampling, topLogProbs, signal) : [];
    return { prompt, sampling, turns, likeliest };
  }

  /** Within the positions that the model knows. */
  #maxTokens(prompt: Prompt, asked: number | undefined): number {
    const { maxPositionEmbeddings } = this.qwen.model.config.text;
    const room = maxPositionEmbeddings - prompt.nextPosition;
    const wanted = asked ?? Math.min(this.qwen.generationConfig.maxNewTokens ?? 512, room);
    if (wanted >= 1 && wanted <= room) return wanted;
    const message = `the prompt ends at position ${prompt.nextPosition} of ${maxPositionEmbeddings}: ${Math.max(0, room)} tokens fit behind it, not ${asked ?? 1}`;
    throw new ServeError(400, "context_length_exceeded", message, "messages");
  }

  /** Resolves when what was asked is answered or given up. */
  async idle(): Promise<void> {
    await this.#last;
  }

  dispose(): void {
    this.qwen.model.adapter = undefined;
    for (const adapter of this.#adapters.values()) adapter?.dispose();
    this.qwen.dispose();
  }
}
