// Answers kept as traces: their exact tokens, log-probs, positions and patches, and the conversation that they came from, with its pictures.
import { dirname, join } from "node:path";
import { encodeConversation, ImageStore } from "@iapo/qwen-vl-model";
import type { Processor } from "@iapo/qwen-vl-model/processor";
import {
  type Image,
  type ImageRef,
  identifyImage,
  imageRef,
  type PromptBlock,
  type Trace,
  type TurnRenderer,
  traceVersion,
} from "@iapo/rollout-trace";
import { imagePath, listSteps, makeDirectory, writeStep } from "@iapo/rollout-trace/files";
import { readImage, writeImage } from "@iapo/visual-tools/sharp";
import { z } from "zod";
import { TrainerError } from "../error.ts";
import type { ChatRequest, Message } from "./chat-request.ts";
import type { Answers } from "./served-model.ts";

/** What a served task holds: its messages, each with the numbers of its blocks in the trace. */
const contentSchema = z.strictObject({
  model: z.string(),
  messages: z.array(z.strictObject({ role: z.enum(["system", "user", "assistant"]), blocks: z.array(z.int().min(0)) })),
});

/** Writes each request as a step of `directory`, behind those that are there. */
export class Recorder {
  readonly #directory: string;
  readonly #processor: Processor;
  readonly #images: ImageStore;
  #next: number;
  #last: Promise<unknown> = Promise.resolve();

  private constructor(directory: string, processor: Processor, next: number) {
    this.#directory = directory;
    this.#processor = processor;
    this.#images = new ImageStore(processor);
    this.#next = next;
  }

  static async open(directory: string, processor: Processor): Promise<Recorder> {
    const steps = join(directory, "steps");
    await makeDirectory(steps);
    await makeDirectory(dirname(imagePath(directory, "")));
    return new Recorder(directory, processor, ((await listSteps(steps)).at(-1)?.step ?? -1) + 1);
  }

  /** Durable when it resolves. @throws TraceError where it cannot be written */
  keep(id: string, request: ChatRequest, answers: Answers): Promise<void> {
    const kept = this.#last.then(() => this.#keep(id, request, answers));
    this.#last = kept.catch(() => {});
    return kept;
  }

  async #keep(id: string, { model, messages }: ChatRequest, answers: Answers): Promise<void> {
    const step = this.#next;
    const { blocks, images, numbered } = await blocksOf(messages);
    for (const image of images) await writeImage(imagePath(this.#directory, image.id), image);
    const { tokenizer } = this.#processor;
    const { prompt, sampling, turns } = answers;
    const { temperature, bannedIds, topP, topK } = sampling;
    const patches = images.map((image) => this.#images.get(image).patchesId);
    const traces = turns.map((turn, sample): Trace<ImageRef> => {
      const count = turn.tokens.length;
      const behind = Array.from({ length: count }, (_, i) => prompt.nextPosition + i);
      return {
        ...{ version: traceVersion, step, group: 0, sample, policyVersion: 0 },
        task: { id, source: "served", split: "served", content: { model, messages: numbered } },
        blocks,
        turns: [
          {
            tokens: Int32Array.from([...prompt.tokens, ...turn.tokens]),
            blocks: Int16Array.from([...prompt.blocks, ...new Array<number>(count).fill(-1)]),
            lossMask: new Uint8Array(prompt.tokens.length + count).fill(1, prompt.tokens.length),
            logProbs: turn.logProbs,
            temperature,
            bannedIds,
            ...(topP === undefined && topK === undefined ? {} : { truncation: { topP, topK } }),
            images: images.map(imageRef),
            text: tokenizer.decode(turn.tokens, { skipSpecialTokens: true }),
            finish: turn.reason,
            freshPrompt: true,
            positions: Int32Array.from([...prompt.positions, ...behind.flatMap((at) => [at, at, at])]),
            patches,
          },
        ],
        toolOutcomes: [],
        rewards: {},
      };
    });
    await writeStep(join(this.#directory, "steps"), { step, traces, log: { samples: [], updates: [], metrics: {} } });
    this.#next++;
  }
}

/**
 * Makes the turns of recorded answers again, from their conversations and pictures, for `verifyTrace`. No weights are needed.
 * @param directory where `iapo serve --record` wrote
 * @throws TrainerError `invalid` for a trace of something else; VisualToolsError for a picture that is not there
 */
export function servedRenderer(directory: string, processor: Processor): TurnRenderer {
  const store = new ImageStore(processor);
  return async (trace, _index, sampledIds) => {
    const content = contentSchema.safeParse(trace.task.content);
    if (!content.success) throw new TrainerError("invalid", `${trace.task.id}: this trace is no answer of iapo serve`);
    const messages: Message[] = [];
    for (const { role, blocks } of content.data.messages) {
      const parts = blocks.map(async (number) => {
        const block = trace.blocks[number];
        if (!block) throw new TrainerError("invalid", `${trace.task.id}: there is no block ${number}`);
        if (block.kind !== "image") return { text: block.text };
        return { image: await readImage(imagePath(directory, block.image.id), { keepAlpha: true }) };
      });
      messages.push({ role, content: await Promise.all(parts) });
    }
    const { images } = await blocksOf(messages);
    const prompt = await encodeConversation(processor, messages);
    const behind = Array.from(sampledIds, (_, i) => prompt.nextPosition + i);
    return {
      tokens: [...prompt.tokens, ...sampledIds],
      blocks: [...prompt.blocks, ...behind.map(() => -1)],
      images: images.map(imageRef),
      text: processor.tokenizer.decode(sampledIds, { skipSpecialTokens: true }),
      positions: [...prompt.positions, ...behind.flatMap((at) => [at, at, at])],
      patches: images.map((image) => store.get(image).patchesId),
    };
  };
}

async function blocksOf(messages: readonly Message[]) {
  const blocks: PromptBlock<ImageRef>[] = [];
  const images: Image[] = [];
  const numbered: { role: Message["role"]; blocks: number[] }[] = [];
  for (const { role, content } of messages) {
    const own: number[] = [];
    for (const part of content) {
      const id = `block-${blocks.length}`;
      own.push(blocks.length);
      if ("text" in part) {
        blocks.push({ id, kind: role === "system" ? "context" : "query", text: part.text });
        continue;
      }
      const image = await identifyImage(part.image);
      images.push(image);
      blocks.push({ id, kind: "image", image: imageRef(image) });
    }
    numbered.push({ role, blocks: own });
  }
  return { blocks, images, numbered };
}
