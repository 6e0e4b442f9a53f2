// Tokens in reading order, each on the color of its score.

import { visible } from "@iapo/rollout-trace/text";
import { at } from "../checked.ts";
import { AttributionError } from "../error.ts";
import type { Numbers } from "../math/token-scores.ts";
import { colorOf, hex, placeOf, type Rgb, scaleLimit } from "./color.ts";
import { markup, signed } from "./text.ts";

/** Text of each token and its score. An image's many tokens are best left out here, and shown by `imageHeatMap`. */
export interface ScoredTokens {
  readonly tokens: readonly string[];
  /** [tokens] */
  readonly scores: Numbers;
}

/**
 * An HTML fragment that stands alone: no script, no style sheet, no identifier. A token's score is its tooltip.
 * @throws AttributionError `shape` unless there is one score for each token, `argument` for scores that are not finite
 */
export function tokenHeatMapHtml({ tokens, scores }: ScoredTokens): string {
  const { limit, colors } = colored(tokens, scores);
  const spans = tokens.map((token, i) => {
    const lines = token.split("\n").map(markup).join("↵\n");
    return `<span style="background:${hex(at(colors, i))}" title="${signed(at(scores, i))}">${lines}</span>`;
  });
  const style =
    "white-space:pre-wrap;overflow-wrap:anywhere;font:14px/1.7 ui-monospace,monospace;color:#000;background:#fff";
  return `<div style="${style}">${spans.join("")}\n${htmlLegend(limit)}</div>`;
}

/**
 * Text for a terminal of 24-bit colors.
 * @throws AttributionError as `tokenHeatMapHtml`
 */
export function tokenHeatMapAnsi({ tokens, scores }: ScoredTokens): string {
  const { limit, colors } = colored(tokens, scores);
  // A background that is still on at a line's end would fill the rest of the line.
  const text = tokens.map((token, i) =>
    token
      .split("\n")
      .map((line, k, { length }) => painted(k < length - 1 ? `${visible(line)}↵` : visible(line), at(colors, i)))
      .join("\n"),
  );
  const legend = [-1, -0.5, 0, 0.5, 1].map((place) => painted(` ${signed(place * limit)} `, colorOf(place)));
  return `${text.join("")}\n${legend.join("")}\n`;
}

function colored(tokens: readonly string[], scores: Numbers): { limit: number; colors: Rgb[] } {
  if (tokens.length !== scores.length) {
    throw new AttributionError("shape", `${scores.length} scores came for ${tokens.length} tokens`);
  }
  const limit = scaleLimit(scores);
  return { limit, colors: Array.from(scores, (score) => colorOf(placeOf(score, limit))) };
}

function htmlLegend(limit: number): string {
  const parts = [-1, -0.5, 0, 0.5, 1].map((place) => {
    return `<span style="background:${hex(colorOf(place))}"> ${signed(place * limit)} </span>`;
  });
  return `<small>${parts.join("")}</small>`;
}

function painted(text: string, [red, green, blue]: Rgb): string {
  return text === "" ? "" : `\u001b[30;48;2;${red};${green};${blue}m${text}\u001b[0m`;
}
