// The three questions of nano-charts. Each depends on the named bars alone, so an edit that shows them helps; "the largest
// of all" has no tool that helps and is left out. Bars too close to call are never asked about.
import type { RandomStream } from "../random.ts";

export type QuestionKind = "value" | "over" | "above";

export interface NanoQuestion {
  readonly kind: QuestionKind;
  readonly text: string;
  /** The bars it asks about, in chart order. */
  readonly names: readonly string[];
  readonly answer: string;
}

export type Bar = { readonly name: string; readonly value: number };

/** A bar asked about lies at least this far from 50, in units of the axis. */
const FROM_FIFTY = 5;
/** Two bars that are compared differ by at least this much. */
const APART = 8;

/**
 * A question about these bars whose answer, where it is yes or no, is the wanted one; undefined where none is clear enough.
 * The caller fixes `yes` by a fair coin before it draws values, so that neither answer is the better guess.
 */
export function askAbout(
  bars: readonly Bar[],
  kind: QuestionKind,
  yes: boolean,
  random: RandomStream,
): NanoQuestion | undefined {
  switch (kind) {
    case "value":
      return askValue(bars, random);
    case "over":
      return askOver(bars, yes, random);
    case "above":
      return askAbove(bars, yes, random);
  }
}

export function questionText(kind: QuestionKind, [first = "", second = ""]: readonly string[]): string {
  if (kind === "value") return `Value of ${first} to the nearest ten?`;
  return kind === "over" ? `Is ${first} over 50?` : `Is ${first} above ${second}?`;
}

function askValue(bars: readonly Bar[], random: RandomStream): NanoQuestion | undefined {
  // Values that end in 4, 5 or 6 lie within a pixel of the border between two tens.
  const clear = bars.filter(({ value }) => Math.abs((value % 10) - 5) > 1);
  if (clear.length === 0) return undefined;
  const { name, value } = random.pick(clear);
  const answer = String(Math.round(value / 10) * 10);
  return { kind: "value", text: questionText("value", [name]), names: [name], answer };
}

function askOver(bars: readonly Bar[], yes: boolean, random: RandomStream): NanoQuestion | undefined {
  const clear = bars.filter(({ value }) => Math.abs(value - 50) >= FROM_FIFTY && value > 50 === yes);
  if (clear.length === 0) return undefined;
  const { name } = random.pick(clear);
  return { kind: "over", text: questionText("over", [name]), names: [name], answer: yes ? "yes" : "no" };
}

/** The first bar of the question is the first of the chart, so that names are always told in one order. */
function askAbove(bars: readonly Bar[], yes: boolean, random: RandomStream): NanoQuestion | undefined {
  const pairs = bars.flatMap((first, index) => bars.slice(index + 1).map((second): [Bar, Bar] => [first, second]));
  const clear = pairs.filter(
    ([first, second]) => Math.abs(first.value - second.value) >= APART && first.value > second.value === yes,
  );
  if (clear.length === 0) return undefined;
  const names = random.pick(clear).map((bar) => bar.name);
  return { kind: "above", text: questionText("above", names), names, answer: yes ? "yes" : "no" };
}
