// Splits groups into pieces that fit a budget of rows; each piece repeats the prompt of a group that it continues.
import type { Trajectory } from "@iapo/rollout-trace";

/** Rows that traces take in a forward pass: their shared prompt once, then what follows it. */
interface Rows {
  readonly prompt: number;
  readonly own: number;
}

/** A turn with a prompt of its own shares nothing; the last token of a prompt and its turns predicts nothing and takes no row. */
function rowsOf({ turns }: Trajectory): Rows {
  const prompt = Math.max(turns[0]?.lossMask.indexOf(1) ?? 0, 0);
  const all = turns.reduce((sum, { tokens }) => sum + tokens.length, 0);
  const prompts = turns.filter(({ freshPrompt }, i) => i === 0 || freshPrompt).length;
  return { prompt, own: all - prompt - prompts };
}

/**
 * Groups in order, in pieces of at most `budget` rows; a trace that alone is longer gets a piece of its own. `traceOf` finds the trace of an
 * item.
 */
export function splitByRows<T>(
  groups: readonly (readonly T[])[],
  budget: number,
  traceOf: (item: T) => Trajectory,
): T[][][] {
  const pieces: T[][][] = [];
  let piece: T[][] = [];
  let used = 0;
  const close = (): void => {
    if (piece.length > 0) pieces.push(piece);
    piece = [];
    used = 0;
  };
  for (const group of groups) {
    let together: T[] | undefined;
    for (const item of group) {
      const { prompt, own } = rowsOf(traceOf(item));
      if (used > 0 && used + own + (together ? 0 : prompt) > budget) {
        close();
        together = undefined;
      }
      if (!together) {
        together = [];
        piece.push(together);
        used += prompt;
      }
      together.push(item);
      used += own;
    }
  }
  close();
  return pieces;
}
