// The tokens of a turn, colored by what a reader chooses: log-prob, ratio or advantage. The choice is the style sheet's: it works without a script.
import { html, type Markup } from "@iapo/rollout-trace/text";
import { formatNumber } from "../numbers.ts";
import type { TokenData } from "./data.ts";

const choices = [
  ["p", "log-prob"],
  ["r", "ratio"],
  ["a", "advantage"],
  ["b", "attribution of the prompt"],
  ["n", "none"],
] as const;

/** Says by what all tokens of the page are colored. */
export function tokenColors(): Markup {
  return html`<fieldset class="colors"><legend>Tokens colored by</legend>${choices.map(
    ([value, name], i) =>
      html`<label><input type="radio" name="tokens" value="${value}"${i === 0 && html` checked`}> ${name}</label>`,
  )}</fieldset>`;
}

export function tokensView(tokens: readonly TokenData[]): Markup {
  return html`${tokens.map(({ text, logProb, ratio, advantage }) => {
    const a = advantage === undefined ? 0 : levelOf(advantage / 2);
    const p = Number.isFinite(logProb) ? levelOf(-logProb / 4) : 6;
    const r = ratio === undefined || !Number.isFinite(ratio) ? 0 : levelOf(Math.log(ratio) / 0.4);
    const said = `log-prob ${formatNumber(logProb)}${ratio === undefined ? "" : `, ratio ${formatNumber(ratio)}`}${advantage === undefined ? "" : `, advantage ${formatNumber(advantage)}`}`;
    return html`<span class="t" data-p="${p}" data-r="${r}" data-a="${a}" title="${said}">${text}</span>`;
  })}`;
}

/** -1 to 1 in steps from -6 to 6; a hundredth is nothing, and what is more is at least one step. */
function levelOf(value: number): number {
  const size = Math.min(6, Math.ceil(Math.abs(value) * 6 - 0.06));
  return value < 0 ? 0 - size : size;
}

/** Rules for all levels: one color for more, another for less. */
export const tokenStyle: string = choices
  .filter(([key]) => key !== "n")
  .flatMap(([key]) =>
    [1, 2, 3, 4, 5, 6].flatMap((level) => {
      const rule = (sign: string, color: string): string =>
        `:root:has(input[name="tokens"][value="${key}"]:checked) :is(.t, .block)[data-${key}="${sign}${level}"] { background: color-mix(in srgb, ${color} ${level * 11}%, transparent); }`;
      return key === "p" ? [rule("", "var(--less)")] : [rule("", "var(--more)"), rule("-", "var(--less)")];
    }),
  )
  .join("\n");
