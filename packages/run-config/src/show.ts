// Problems as text of one screen at most.
import type { Place, Problem } from "./layer.ts";

const MOST_SHOWN = 5;
const WIDEST_LINE = 110;
const LONGEST = 400;

/**
 * Such as
 *
 *     run.yaml:3:5: unknown key "learningrate" in grpo.optimizer
 *        3 |     learningrate: 1e-4
 *          |     ^^^^^^^^^^^^
 *          did you mean "learningRate"?
 */
export function showProblems(problems: readonly (() => Problem)[]): string {
  const shown = problems.slice(0, MOST_SHOWN).map((describe) => showProblem(describe()));
  const more = problems.length - shown.length;
  return [...shown, ...(more > 0 ? [`and ${more} more`] : [])].join("\n");
}

/** Foreign text in a line of a message: without control characters, and cut. */
export function printable(text: string): string {
  const cut = text.length > LONGEST ? `${text.slice(0, LONGEST / 2)}…${text.slice(-LONGEST / 4)}` : text;
  return cut.replace(/\p{Cc}/gu, " ");
}

function showProblem({ message, place, advice }: Problem): string {
  const what = printable(message);
  const hint = advice === undefined ? undefined : printable(advice);
  if (!place) return hint === undefined ? what : `${what}; ${hint}`;
  const { line, column, length, from } = clipped(place);
  const gutter = " ".repeat(place.label.length);
  const marked = `${" ".repeat(column - from)}${"^".repeat(length)}`;
  const lines = [`${printable(place.name)}: ${what}`, `  ${place.label} | ${line}`, `  ${gutter} | ${marked}`];
  if (hint !== undefined) lines.push(`  ${gutter}   ${hint}`);
  return lines.join("\n");
}

/** A long line is cut to the part around its caret. */
function clipped({ line, column, length }: Place): { line: string; column: number; length: number; from: number } {
  const from = column > WIDEST_LINE - 20 ? column - 20 : 0;
  // Control characters would move the caret, or the reader's terminal.
  const text = line.slice(from, from + WIDEST_LINE).replace(/\p{Cc}/gu, " ");
  return { line: text, column, length: Math.max(1, Math.min(length, text.length - (column - from))), from };
}
