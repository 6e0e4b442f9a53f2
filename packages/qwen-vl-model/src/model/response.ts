// What follows a prompt in training: sampled turns, and the observations between them, as one sequence.
import type { GeneratedTurn } from "../generation/request.ts";
import type { ResponseSequence, Sequence } from "./pack.ts";

/** A sampled turn as tokens with their positions. */
export function turnSequence({ tokens, nextPosition }: Pick<GeneratedTurn, "tokens" | "nextPosition">): Sequence {
  const axis = Int32Array.from(tokens, (_, i) => nextPosition - tokens.length + i);
  return { tokens, positions: Int32Array.from([...axis, ...axis, ...axis]), images: [] };
}

/** Joins sequences in order; the tokens of those with `target` are the ones whose log-probs are wanted. */
export function joinSequences(parts: readonly (Sequence & { readonly target: boolean })[]): ResponseSequence {
  const axis = (k: number): number[] =>
    parts.flatMap(({ positions, tokens }) => [...positions.subarray(k * tokens.length, (k + 1) * tokens.length)]);
  return {
    tokens: Int32Array.from(parts.flatMap(({ tokens }) => [...tokens])),
    positions: Int32Array.from([0, 1, 2].flatMap(axis)),
    images: parts.flatMap(({ images }) => images),
    targets: Uint8Array.from(parts.flatMap(({ tokens, target }) => Array.from(tokens, () => Number(target)))),
  };
}
