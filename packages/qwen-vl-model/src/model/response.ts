// What follows a prompt in training: sampled turns, and the observations between them, as one sequence.
import type { ResponseSequence, Sequence } from "./pack.ts";

/** Positions `[count, 3]` of tokens of text from `start` on: the three axes of each are the same. */
export function textPositions(start: number, count: number): Int32Array<ArrayBuffer> {
  return Int32Array.from({ length: 3 * count }, (_, i) => start + Math.floor(i / 3));
}

/** A sampled turn as tokens with their positions. */
export function turnSequence({
  tokens,
  nextPosition,
}: {
  readonly tokens: Int32Array;
  readonly nextPosition: number;
}): Sequence {
  return { tokens, positions: textPositions(nextPosition - tokens.length, tokens.length), images: [] };
}

/** Joins sequences in order; the tokens of those with `target` are the ones whose log-probs are wanted. */
export function joinSequences(parts: readonly (Sequence & { readonly target: boolean })[]): ResponseSequence {
  return {
    tokens: Int32Array.from(parts.flatMap(({ tokens }) => [...tokens])),
    positions: Int32Array.from(parts.flatMap(({ positions }) => [...positions])),
    images: parts.flatMap(({ images }) => images),
    targets: Uint8Array.from(parts.flatMap(({ tokens, target }) => Array.from(tokens, () => Number(target)))),
  };
}
