// Figures of a step: where its time went, what was packed, how numbers are spread.

import { html, type Markup } from "@iapo/rollout-trace/text";
import { barChart, formatNumber, seriesStyle } from "@iapo/run-report";

const width = 900;

/** Parts one after another, as long as they took. */
export function timeline(timings: Readonly<Record<string, number>>): Markup {
  const parts = Object.entries(timings);
  const whole = parts.reduce((sum, [, seconds]) => sum + seconds, 0);
  let x = 0;
  const bars = parts.map(([name, seconds], i) => {
    const length = (seconds / (whole || 1)) * width;
    const { color, className } = seriesStyle(i);
    const bar = html`<g class="${className}"><rect x="${x.toFixed(1)}" y="0" width="${Math.max(0.5, length).toFixed(1)}" height="30" fill="${color}"><title>${name}: ${formatNumber(seconds)} s</title></rect></g>`;
    x += length;
    return bar;
  });
  const entries = parts.map(([name, seconds], i) => {
    const { color, className } = seriesStyle(i);
    return html`<li><svg viewBox="0 0 12 10" aria-hidden="true" class="${className}"><rect width="12" height="10" fill="${color}"/></svg>${name} ${formatNumber(seconds)} s, ${formatNumber((100 * seconds) / (whole || 1))} %</li>`;
  });
  return html`<svg class="chart timeline" viewBox="0 0 ${width} 30" preserveAspectRatio="none" role="img" aria-label="${parts.map(([name, seconds]) => `${name} ${formatNumber(seconds)} s`).join(", ")}">${bars}</svg><ul class="key">${entries}<li>${formatNumber(whole)} s together</li></ul>`;
}

export interface PackedGroup {
  readonly group: number;
  /** Tokens. */
  readonly prompt: number;
  readonly responses: readonly number[];
}

export interface PackedUpdate {
  readonly loss: number | null;
  readonly skipped: boolean;
  readonly groups: readonly PackedGroup[];
}

/** Each mini-batch as a row of its groups: a prompt once, then the responses that share it. */
export function packing(updates: readonly PackedUpdate[]): Markup {
  const rowsOf = ({ prompt, responses }: PackedGroup): number => prompt + responses.reduce((sum, one) => sum + one, 0);
  const largest = Math.max(1, ...updates.map(({ groups }) => groups.reduce((sum, group) => sum + rowsOf(group), 0)));
  const strip = (update: PackedUpdate, index: number): Markup => {
    const { groups, loss, skipped } = update;
    const rows = groups.reduce((sum, group) => sum + rowsOf(group), 0);
    const unshared = groups.reduce(
      (sum, { prompt, responses }) => sum + responses.reduce((all, one) => all + prompt + one, 0),
      0,
    );
    const samples = groups.reduce((sum, { responses }) => sum + responses.length, 0);
    let x = 0;
    const piece = (tokens: number, className: string, title: string): Markup => {
      const length = (tokens / largest) * width;
      const rect = html`<rect class="${className}" x="${x.toFixed(2)}" y="0" width="${Math.max(0.2, length - 0.6).toFixed(2)}" height="26"><title>${title}</title></rect>`;
      x += length;
      return rect;
    };
    const pieces = groups.map(({ group, prompt, responses }) => [
      piece(prompt, "prompt", `group ${group}: prompt, ${prompt} tokens`),
      responses.map((tokens, i) => piece(tokens, "response", `group ${group}, response ${i}: ${tokens} tokens`)),
    ]);
    return html`<figure class="pack"><figcaption>Mini-batch ${index}: ${samples} responses of ${groups.length} groups in ${rows} rows; ${unshared} without sharing prompts${loss !== null && html`; loss ${formatNumber(loss)}`}${skipped && html`; <span class="alarm">skipped</span>`}</figcaption><svg class="chart timeline" viewBox="0 0 ${width} 26" preserveAspectRatio="none" role="img" aria-label="${rows} rows">${pieces}</svg></figure>`;
  };
  return html`${updates.slice(0, 16).map(strip)}${updates.length > 16 && html`<p class="note">and ${updates.length - 16} more</p>`}<p class="note">Dark: prompts, once for each group. Light: responses, all turns with their images.</p>`;
}

const bins = 15;

export function histogram({ title, values }: { readonly title: string; readonly values: readonly number[] }): Markup {
  const known = values.filter(Number.isFinite);
  const low = known.reduce((least, value) => Math.min(least, value), Number.POSITIVE_INFINITY);
  const high = known.reduce((most, value) => Math.max(most, value), Number.NEGATIVE_INFINITY);
  if (high - low < 1e-9) return html`<p>All ${known.length} are ${formatNumber(low)}.</p>`;
  const counts = new Array<number>(bins).fill(0);
  for (const value of known) {
    const bin = Math.min(bins - 1, Math.floor(((value - low) / (high - low)) * bins));
    counts[bin] = (counts[bin] ?? 0) + 1;
  }
  const edge = (i: number): string => Number((low + (i / bins) * (high - low)).toPrecision(3)).toString();
  return barChart({
    title: `${title}, ${known.length} of them`,
    labels: counts.map((_, i) => `${edge(i)} to ${edge(i + 1)}`),
    series: [{ name: title, values: counts }],
  });
}
