// Which tokens of a turn are its tool call (docs/method.md F3).
import type { ImageRef, Turn } from "@iapo/rollout-trace";
import { findProgram } from "@iapo/visual-tools";
import { IapoError } from "../error.ts";
import { callParts } from "./call-parts.ts";
import type { AttributionModel, Call } from "./model.ts";

const opening = "```python";

/**
 * `code`: the fenced block that the environment reads as the tool program; `call_name`, `call_arguments`: of it the names of called tools, or
 * their arguments, the whole of one that calls none; `turn1`: all that the first turn says.
 */
export type CallTarget = "code" | "call_name" | "call_arguments" | "turn1";

/**
 * The call of a turn, or undefined where there is none: no fenced block, or nothing but white space in it. A block without a
 * closing fence goes on to the end. A token belongs to the call if its first byte does, as tokens belong to prompt blocks.
 */
export function findCall(
  turn: Turn,
  target: CallTarget,
  model: Pick<AttributionModel, "tokenBytes">,
): Call | undefined {
  const targets = target === "turn1" ? turn.lossMask : programTokens(turn, target, model);
  return targets?.includes(1) ? { turn, targets } : undefined;
}

/** What the published presets take for the program where no block holds a word of a tool. */
function firstBlock(text: string): { readonly start: number; readonly end: number } | undefined {
  const start = text.indexOf(opening) + opening.length;
  if (start < opening.length) return undefined;
  const closing = text.indexOf("```", start);
  return { start, end: closing === -1 ? text.length : closing };
}

/** The turn that calls are of. @throws IapoError `argument` for an episode without turns */
export function firstTurn<T>({ turns }: { readonly turns: readonly T[] }): T {
  const [turn] = turns;
  if (turn === undefined) throw new IapoError("argument", "an episode without a turn has no call");
  return turn;
}

function programTokens(
  { tokens, lossMask }: Turn<ImageRef>,
  target: Exclude<CallTarget, "turn1">,
  model: Pick<AttributionModel, "tokenBytes">,
): Uint8Array | undefined {
  const startOf = new Int32Array(tokens.length).fill(-1);
  // One character per byte: places in the text are places in the bytes.
  let text = "";
  tokens.forEach((id, i) => {
    if (lossMask[i] !== 1) return;
    startOf[i] = text.length;
    text += String.fromCharCode(...model.tokenBytes(id));
  });
  const found = findProgram(text) ?? firstBlock(text);
  if (found === undefined || text.slice(found.start, found.end).trim() === "") return undefined;
  const { start, end } = found;
  const whole = Uint8Array.from(startOf, (at) => Number(at >= start && at < end));
  if (target === "code") return whole;
  const parts = callParts(text.slice(start, end));
  const wanted = target === "call_name" ? 1 : 2;
  const chosen = whole.map((isIn, i) => Number(isIn === 1 && parts[(startOf[i] ?? 0) - start] === wanted));
  return chosen.includes(1) ? chosen : whole;
}
