// A model behind an OpenAI-compatible endpoint as a policy that rollouts sample from. Its turns hold text, and no tokens.
import type { Policy, PromptBlock, RefusedInput, Session, Turn, TurnInput, TurnRequest } from "@iapo/rollout-trace";
import type { Seed } from "@iapo/tensor-core";
import { pngDataUrl } from "@iapo/visual-tools/sharp";
import { VqaTasksError } from "@iapo/vqa-tasks";
import { type ChatClient, type ChatMessage, createChatClient } from "@iapo/vqa-tasks/scoring";
import { EvaluationError } from "./error.ts";

export interface EndpointOptions {
  /** Base address, such as `http://localhost:8000/v1`. */
  readonly endpoint: string;
  readonly model: string;
  readonly apiKey?: string | undefined;
  readonly timeoutMs: number;
  readonly retries: number;
  readonly concurrency: number;
  /** Of a turn. */
  readonly maxTokens: number;
}

/** Its sessions throw EvaluationError `endpoint` where the model does not answer, `refused` where it will not answer this request. */
export function endpointPolicy({ maxTokens, ...options }: EndpointOptions): Policy {
  const client = createChatClient({ ...options, maxTokens });
  return {
    version: 0,
    open: async (prompts) => new EndpointSession(client, await Promise.all(prompts.map(conversation))),
  };
}

interface Conversation {
  readonly messages: readonly ChatMessage[];
  readonly input: TurnInput;
}

class EndpointSession implements Session {
  readonly #client: ChatClient;
  /** Of the prompts before the first turn, then of the responses. */
  #open: readonly Conversation[];
  #texts: readonly string[] | undefined;

  constructor(client: ChatClient, prompts: readonly Conversation[]) {
    this.#client = client;
    this.#open = prompts;
  }

  async generate({ samples, sampling, seeds, signal, onTurn }: TurnRequest): Promise<Turn[]> {
    const { temperature } = sampling;
    if (!this.#texts) this.#open = this.#open.flatMap((prompt) => Array.from({ length: samples }, () => prompt));
    const turns = await Promise.all(
      this.#open.map(async ({ messages, input }, response) => {
        const seed = seedNumber(seeds[response]);
        const text = await this.#ask(messages, { temperature, seed, signal });
        const turn = turnOf(input, text, temperature);
        onTurn?.(response, turn);
        return turn;
      }),
    );
    this.#texts = turns.map(({ text }) => text);
    return turns;
  }

  async append(next: readonly (TurnInput | undefined)[]): Promise<readonly RefusedInput[]> {
    const texts = this.#texts ?? [];
    const continued = this.#open.map(async ({ messages }, response) => {
      const input = next[response];
      if (!input) return [];
      const answered: ChatMessage = { role: "assistant", content: texts[response] ?? "" };
      return [{ input, messages: [...messages, answered, ...(await conversation(input)).messages] }];
    });
    this.#open = (await Promise.all(continued)).flat();
    return [];
  }

  close(): void {}

  async #ask(messages: readonly ChatMessage[], request: Parameters<ChatClient>[1]): Promise<string> {
    try {
      return await this.#client(messages, request);
    } catch (cause) {
      if (!(cause instanceof VqaTasksError)) throw cause;
      if (cause.code === "request_refused") throw new EvaluationError("refused", cause.message, { cause });
      throw new EvaluationError("endpoint", `the model did not answer: ${cause.message}`, { cause });
    }
  }
}

async function conversation(input: TurnInput): Promise<Conversation> {
  const messages: ChatMessage[] = [{ role: "user", content: await content(input.blocks) }];
  if (input.assistant) {
    const text = input.assistant.map((block) => (block.kind === "image" ? "" : block.text)).join("");
    messages.push({ role: "assistant", content: text });
  }
  return { messages, input };
}

type Part = Exclude<ChatMessage["content"], string>[number];

/** Neighboring texts in one part. */
async function content(blocks: readonly PromptBlock[]): Promise<Part[]> {
  const parts: Part[] = [];
  for (const block of blocks) {
    const last = parts.at(-1);
    if (block.kind === "image") {
      parts.push({ type: "image_url", image_url: { url: await pngDataUrl(block.image) } });
    } else if (last?.type === "text") parts[parts.length - 1] = { type: "text", text: last.text + block.text };
    else parts.push({ type: "text", text: block.text });
  }
  return parts;
}

function turnOf({ blocks, assistant = [], freshPrompt }: TurnInput, text: string, temperature: number): Turn {
  const images = [...blocks, ...assistant].flatMap((block) => (block.kind === "image" ? [block.image] : []));
  return {
    tokens: new Int32Array(),
    blocks: new Int16Array(),
    lossMask: new Uint8Array(),
    logProbs: new Float32Array(),
    temperature,
    bannedIds: [],
    images,
    text,
    freshPrompt,
  };
}

/** 31 bits: what servers take. */
function seedNumber(seed: Seed | undefined): number | undefined {
  return seed && seed[0] >>> 1;
}
