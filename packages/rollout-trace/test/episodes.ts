/** Episodes of a small but whole pipeline: bytes as tokens, one image token a pixel, two-dimensional image positions. */
import { createHash } from "node:crypto";
import {
  type Image,
  type ImageRef,
  identifyImage,
  imageRef,
  type PromptBlock,
  type RenderedTurn,
  type Step,
  sampledTokens,
  type Task,
  type ToolOutcome,
  type Trace,
  type Turn,
  traceVersion,
} from "../src/index.ts";

const imageToken = 256;
const turnStart = 257;

/** What the renderer of a trace starts from. */
export type Source = { readonly images: ReadonlyMap<string, Image> };

type CompleteTurn = { [Field in keyof RenderedTurn]-?: Exclude<RenderedTurn[Field], undefined> };

type Put = { readonly blocks: readonly (readonly [index: number, block: PromptBlock<ImageRef>])[] };

/** The one way from blocks to tokens, positions and patches, for rollout and verification alike. */
export function renderTurn(put: Put, sampled: Int32Array, source: Source): CompleteTurn {
  const tokens: number[] = [turnStart];
  const blocks: number[] = [-1];
  const positions: number[] = [0, 0, 0];
  const images: ImageRef[] = [];
  let next = 1;
  const add = (token: number, block: number, position: readonly number[]): void => {
    tokens.push(token);
    blocks.push(block);
    positions.push(...position);
  };
  for (const [index, block] of put.blocks) {
    if (block.kind === "image") {
      const { width, height } = block.image;
      for (let place = 0; place < width * height; place++) {
        add(imageToken, index, [next, next + Math.floor(place / width), next + (place % width)]);
      }
      next += Math.max(width, height);
      images.push(imageRef(block.image));
    } else {
      for (const byte of Buffer.from(block.text)) add(byte, index, [next, next, next++]);
    }
  }
  for (const id of sampled) add(id, -1, [next, next, next++]);
  const patches = images.map(({ id }) => createHash("sha256").update(source.images.get(id)!.data).digest("hex"));
  return { tokens, blocks, positions, images, patches, text: Buffer.from(sampled).toString("latin1") };
}

/** The blocks that turn `index` put in. */
export function blocksOfTurn(blocks: readonly PromptBlock<ImageRef>[], index: number): Put {
  const numbered = blocks.map((block, place) => [place, block] as const);
  return { blocks: numbered.filter(([, block]) => block.id.startsWith(`${index}`)) };
}

function makeTurn(
  put: Put,
  written: Int32Array,
  logProbs: readonly number[],
  source: Source,
  freshPrompt: boolean,
): Turn<ImageRef> {
  const { tokens, blocks, positions, ...rest } = renderTurn(put, written, source);
  const lossMask = new Uint8Array(tokens.length).fill(1, tokens.length - written.length);
  return {
    tokens: Int32Array.from(tokens),
    blocks: Int16Array.from(blocks),
    lossMask,
    logProbs: Float32Array.from(logProbs.slice(0, written.length)),
    temperature: 1,
    bannedIds: [imageToken],
    positions: Int32Array.from(positions),
    finish: freshPrompt ? "stop" : "length",
    freshPrompt,
    ...rest,
  };
}

/** What a group of episodes is made from. */
export type Plan = {
  readonly question: string;
  readonly pixels: Uint8Array;
  readonly samples: readonly {
    /** What the policy writes in the first turn. */
    readonly first: Uint8Array;
    /** What a tool makes of the image; null where none is called. */
    readonly edited: Uint8Array | null;
    readonly second: Uint8Array;
    readonly outcome: number;
    /** Log-prob of the first token of each turn. */
    readonly log: number;
  }[];
};

/** What a task of these steps is about. */
type Content = { readonly image: ImageRef; readonly question: string; readonly columns: readonly object[] };

export type Planned = {
  readonly step: Omit<Step, "traces"> & { readonly traces: readonly Trace<ImageRef, Content>[] };
  readonly source: Source;
};

export async function makeStep(groups: readonly Plan[], number = 3): Promise<Planned> {
  const images = new Map<string, Image>();
  const traces: Trace<ImageRef, Content>[] = [];
  const picture = async (data: Uint8Array): Promise<ImageRef> => {
    const image = await identifyImage({ width: 2, height: 2, channels: 3, data: Uint8Array.from(data) });
    images.set(image.id, image);
    return imageRef(image);
  };
  for (const [group, { question, pixels, samples }] of groups.entries()) {
    const image = await picture(pixels);
    const content = { image, question, columns: [{ name: "7", x1: 0, y1: 0, x2: 1.5, y2: 1 }] };
    const task: Task<Content> = { id: `task-${group}`, source: "test", split: "train", content };
    const opening: PromptBlock<ImageRef>[] = [
      { id: "0-query", kind: "query", text: `${question}\n` },
      { id: "0-image", kind: "image", image },
    ];
    for (const [sample, { first, edited, second, outcome, log }] of samples.entries()) {
      const shown = edited === null ? undefined : await picture(edited);
      const blocks: PromptBlock<ImageRef>[] =
        shown === undefined ? opening : [...opening, { id: "1-image", kind: "image", image: shown }];
      const logProbs = [log, -0.1, -1e-7, -3];
      const turns = [makeTurn(blocksOfTurn(blocks, 0), Int32Array.from(first), logProbs, { images }, true)];
      if (shown !== undefined)
        turns.push(makeTurn(blocksOfTurn(blocks, 1), Int32Array.from(second), logProbs, { images }, false));
      const called: ToolOutcome<ImageRef> =
        shown === undefined
          ? { status: "no_tool", tools: [], keys: [], unknownKeys: [], changed: false }
          : { status: "ok", tools: ["draw"], keys: ["7"], unknownKeys: [], changed: true, image: shown };
      const rewards = { outcome, tool: shown === undefined ? 0 : 1 };
      traces.push({
        version: traceVersion,
        step: number,
        group,
        sample,
        policyVersion: 1,
        task,
        blocks,
        turns,
        toolOutcomes: [called],
        rewards,
      });
    }
  }
  return { step: { step: number, traces, log: logOf(traces) }, source: { images } };
}

/** The log that the functions of replay.test.ts give. */
function logOf(traces: readonly Trace<ImageRef>[]): Step["log"] {
  const samples = traces.map(({ group, sample, rewards, turns }) => ({
    group,
    sample,
    evidence: { student: [0.5, 0.5], teacher: [0.25, 0.75] },
    penalty: 0.25,
    shapedReward: rewards.outcome! - 0.25,
    advantages: turns.map(() => 2 * (rewards.outcome! - 0.25)),
  }));
  const loss = samples.reduce((sum, { advantages }) => sum + advantages[0]!, 0);
  const update = {
    samples: traces.map((trace) => ({
      group: trace.group,
      sample: trace.sample,
      logProbs: sampledTokens(trace).logProbs,
    })),
    loss,
  };
  return { samples, updates: [update], metrics: { "actor/grad_norm": null, "actor/lr": 1e-6 } };
}

/** One small step that never changes. */
export async function exampleStep(number = 3): Promise<Planned> {
  const pixels = Uint8Array.from({ length: 12 }, (_, index) => index * 20);
  const edited = pixels.map((value) => 255 - value);
  return makeStep(
    [
      {
        question: "Which?",
        pixels,
        samples: [
          { first: Uint8Array.of(65, 66), edited, second: Uint8Array.of(67), outcome: 1, log: -0.25 },
          { first: Uint8Array.of(68), edited: null, second: Uint8Array.of(), outcome: 0, log: -0.5 },
        ],
      },
      {
        question: "é?",
        pixels: edited,
        samples: [{ first: Uint8Array.of(200), edited: pixels, second: Uint8Array.of(9), outcome: 1, log: -2 }],
      },
    ],
    number,
  );
}

/** The smallest step that has every kind of line. */
export async function smallStep(): Promise<Planned> {
  const pixels = new Uint8Array(12);
  const sample = {
    first: Uint8Array.of(65),
    edited: Uint8Array.from(pixels, () => 9),
    second: Uint8Array.of(66),
    outcome: 1,
    log: -1,
  };
  return makeStep([{ question: "?", pixels, samples: [sample] }]);
}
