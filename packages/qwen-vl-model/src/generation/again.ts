// Recorded turns decoded once more by the kernels of the rollout: the logits that each of their tokens was sampled from.
import type { Image, Turn } from "@iapo/rollout-trace";
import { keepPacked, linear, noGrad, rowSegment, scope, type Tensor } from "@iapo/tensor-core";
import { QwenVLError } from "../error.ts";
import type { QwenVLModel } from "../model/model.ts";
import type { EncodedImage, Sequence } from "../model/pack.ts";
import { KeyValueCache } from "./cache.ts";
import { forwardRows, type PassOptions } from "./pass.ts";

/**
 * Logits f32 `[vocabulary]` of every sampled token, turn by turn; temperature and banned ids do not enter them. The caller's loop may end early.
 * @throws QwenVLError `positions`; TensorError `out_of_memory`; the reason of the signal
 */
export async function* logitsAgain(
  model: QwenVLModel,
  turns: readonly Turn[],
  imageOf: (image: Image) => EncodedImage,
  options: PassOptions = {},
): AsyncGenerator<Float32Array> {
  for (let first = 0; first < turns.length; ) {
    const next = turns.findIndex(({ freshPrompt }, turn) => turn > first && freshPrompt);
    const last = next < 0 ? turns.length : next;
    yield* withOnePrompt(model, turns.slice(first, last), imageOf, options);
    first = last;
  }
}

/** As a session does it with one response: the prompt, token by token, what was sampled last with the observation, token by token. */
async function* withOnePrompt(
  model: QwenVLModel,
  turns: readonly Turn[],
  imageOf: (image: Image) => EncodedImage,
  options: PassOptions,
): AsyncGenerator<Float32Array> {
  const rows = turns.reduce((sum, { tokens }) => sum + tokens.length, 0);
  const cache = new KeyValueCache(model.device, model.config.text, rows);
  let hidden: Tensor | undefined;
  const advance = (to: Tensor): Tensor => {
    hidden?.dispose();
    hidden = to;
    return to;
  };
  try {
    let [promptCount, done] = [0, 0];
    const keysUpTo = (count: number) =>
      promptCount === 0
        ? { prefixStart: 0, prefixCount: 0, ownStart: 0, ownCount: count }
        : { prefixStart: 0, prefixCount: promptCount, ownStart: promptCount, ownCount: count - promptCount };
    let pending: Sequence[] = [];
    for (const turn of turns) {
      const start = turn.tokens.length - turn.logProbs.length;
      const sequences = [...pending, { ...part(turn, 0, start), images: turn.images.map(imageOf) }];
      const count = start + pending.length;
      const keys = keysUpTo(done + count);
      let at = advance(await forwardRows(model, cache, [{ sequences, count, start: done, keys }], options));
      done += count;
      promptCount ||= count;
      for (let token = start; token < turn.tokens.length; token++) {
        options.signal?.throwIfAborted();
        yield await logitsOf(model, at);
        if (token === turn.tokens.length - 1) break;
        at = advance(decode(model, cache, part(turn, token, token + 1), done, keysUpTo(done + 1)));
        done++;
      }
      pending = [part(turn, turn.tokens.length - 1, turn.tokens.length)];
    }
  } finally {
    hidden?.dispose();
    cache.dispose();
  }
}

/** The hidden state behind one more token, in row `row` of the cache. */
function decode(
  model: QwenVLModel,
  cache: KeyValueCache,
  { tokens, positions }: Sequence,
  row: number,
  keys: Parameters<typeof rowSegment>[2],
): Tensor {
  const { device } = model;
  return noGrad(() =>
    scope(() =>
      keepPacked(device, () => {
        const layout = model.uploadText({ positions, segments: [rowSegment(0, 1, keys)] });
        cache.target = cache.index(device, Int32Array.of(row));
        const ids = device.tensor(Uint32Array.from(tokens), [1]);
        return model.hidden({ rows: model.embedTokens(ids), deep: [] }, { layout }, { cache });
      }),
    ),
  );
}

async function logitsOf(model: QwenVLModel, hidden: Tensor): Promise<Float32Array> {
  using logits = noGrad(() => scope(() => keepPacked(model.device, () => linear(hidden, model.head))));
  return (await logits.values()) as Float32Array;
}

function part({ tokens, positions }: Turn, from: number, to: number): Sequence {
  if (!positions) throw new QwenVLError("positions", "a turn holds no positions, so it cannot be computed again");
  return { tokens: tokens.subarray(from, to), positions: positions.subarray(3 * from, 3 * to), images: [] };
}
