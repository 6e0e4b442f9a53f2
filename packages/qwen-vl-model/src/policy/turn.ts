// A turn as a trace holds it: input and what was written.
import type { Turn } from "@iapo/rollout-trace";
import type { TokenSampling } from "../generation/request.ts";
import type { Sequence } from "../model/pack.ts";
import type { EncodedInput } from "./input.ts";

export interface WrittenText {
  readonly logProbs: Float32Array<ArrayBuffer>;
  readonly text: string;
  /** Absent where it was not sampled. */
  readonly finish?: Turn["finish"];
  readonly freshPrompt: boolean;
  readonly sampling: TokenSampling;
}

export function writtenTurn(
  input: EncodedInput,
  { tokens, positions }: Sequence,
  { logProbs, text, finish, freshPrompt, sampling }: WrittenText,
): Turn {
  const before = input.tokens.length;
  const count = before + tokens.length;
  const blocks = new Int16Array(count).fill(-1);
  blocks.set(input.blocks);
  const { temperature, bannedIds = [], topP, topK } = sampling;
  return {
    tokens: Int32Array.from([...input.tokens, ...tokens]),
    blocks,
    lossMask: new Uint8Array(count).fill(1, before),
    logProbs,
    temperature,
    bannedIds,
    ...(topP === undefined && topK === undefined ? {} : { truncation: { topP, topK } }),
    images: input.sources,
    text,
    ...(finish && { finish }),
    freshPrompt,
    positions: Int32Array.from([...input.positions, ...positions]),
    patches: input.patches,
  };
}
