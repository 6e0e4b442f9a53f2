// Options of the nano-charts and their defaults.
import type { QuestionKind } from "./questions.ts";

/** Shares of demonstrations that are wrong on purpose; the rest is clean. Their sum is at most 1. */
export interface DemonstrationQuality {
  /** Calls the tool of the axis the chart does not have. */
  readonly wrongAxis: number;
  /** Answers without calling a tool. */
  readonly noCall: number;
  /** Writes a program that is no program. */
  readonly malformed: number;
}

export const effects = ["highlight", "mask", "draw"] as const;
export type Effect = (typeof effects)[number];

/** How demonstrations write what is right in more than one way. */
export interface DemonstrationStyle {
  /** Which of the three they use, drawn uniformly; or that of the question: highlight for a value, mask for over, draw for above. */
  readonly effects: readonly Effect[] | "by_question";
  /** `display(tool(...))`; or `image = tool(...)` and then `display(image)`; or first a comment that says the tool's definition. */
  readonly program: "call" | "variable" | "defined";
}

export interface NanoChartOptions {
  readonly seed: number;
  /** Width and height in pixels, 112 or more. */
  readonly size: number;
  /** Fewest and most bars, within 3 to 6. */
  readonly bars: readonly [number, number];
  readonly questions: readonly QuestionKind[];
  /**
   * Which names occur. A list is a pool of its own, such as the one-token entries of a vocabulary, split by a hash of the
   * name. A function keeps some of the packaged names; `words` keeps those of one capitalized word, each of them one token of
   * the nano models. Left out: all packaged names.
   */
  readonly names?: readonly string[] | "words" | ((name: string) => boolean) | undefined;
  /**
   * `in_context`: the six tools of each chart have names drawn for it alone, defined in a random order: names of bars of its split that it does
   * not show. What a name does is told by its definition, and by nothing else.
   */
  readonly tools: "fixed" | "in_context";
  readonly quality: DemonstrationQuality;
  readonly style: DemonstrationStyle;
}

export const cleanQuality: DemonstrationQuality = { wrongAxis: 0, noCall: 0, malformed: 0 };

export const defaultNanoChartOptions: NanoChartOptions = {
  seed: 0,
  size: 112,
  bars: [3, 6],
  questions: ["value", "over", "above"],
  tools: "fixed",
  quality: cleanQuality,
  style: { effects, program: "call" },
};
