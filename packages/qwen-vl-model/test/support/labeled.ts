// A whole sequence with labels, as trainers without rollouts have it: its loss is the mean over the labeled tokens.
import type { PromptGroup, Sequence } from "../../src/model/pack.ts";

/** The first token as the prompt, the rest as its one response; a label of -100 is none. */
export function labeled(sequence: Sequence, labels: ArrayLike<number>): PromptGroup {
  const { tokens, positions, images } = sequence;
  const count = tokens.length;
  const cut = (from: number, to: number) => ({
    tokens: tokens.slice(from, to),
    positions: positions.slice(3 * from, 3 * to),
  });
  const targets = Uint8Array.from({ length: count - 1 }, (_, i) => Number(labels[i + 1] !== -100));
  return { prompt: { ...cut(0, 1), images: [] }, responses: [{ ...cut(1, count), images, targets }] };
}
