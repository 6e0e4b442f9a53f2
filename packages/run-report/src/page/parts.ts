// Parts that pages of runs are made of.
import { html, type Markup } from "@iapo/rollout-trace/text";
import { seriesStyle } from "../svg/palette.ts";
import type { RunData, Table } from "./data.ts";

/** How a number begins, or what stands where there is none. */
const numeric = /^(?:[-+−±]?[\d.∞]|NaN|[–—]?$)/;

/** Numbers are to be read down a column, words from the left; the first cell of a row names it. */
export function table({ columns, rows }: Table): Markup {
  const ofWords = columns.map((_, column) => rows.some((cells) => !numeric.test(cells[column] ?? "")));
  const cell = (name: string, column: number) =>
    ofWords[column] ? html`<td class="words">${name}</td>` : html`<td>${name}</td>`;
  const heading = (name: string, column: number) =>
    ofWords[column] ? html`<th scope="col" class="words">${name}</th>` : html`<th scope="col">${name}</th>`;
  return html`<div class="table" tabindex="0"><table><thead><tr>${columns.map(heading)}</tr></thead><tbody>${rows.map(
    (cells) => html`<tr>${cells.map(cell)}</tr>`,
  )}</tbody></table></div>`;
}

/** Undefined where none was raised. */
export function alarmTable({ name, alarms: raised }: Pick<RunData, "name" | "alarms">): Markup | undefined {
  if (raised.length === 0) return undefined;
  const items = raised.map(
    (alarm) => html`<tr><td>${alarm.step}</td><td class="alarm">${alarm.name}</td><td>${alarm.meaning}</td></tr>`,
  );
  return html`<h2 class="alarm">Alarms of ${name}</h2><div class="table" tabindex="0"><table class="texts"><thead><tr><th scope="col">Step</th><th scope="col">Alarm</th><th scope="col">Meaning</th></tr></thead><tbody>${items}</tbody></table></div>`;
}

/** Which color is whose. */
export function colorKey(names: readonly string[]): Markup {
  const entries = names.map((name, i) => {
    const { color, className, dashes } = seriesStyle(i);
    return html`<li><svg viewBox="0 0 22 10" aria-hidden="true"><g class="${className}"><line x1="0" x2="22" y1="5" y2="5" stroke="${color}" stroke-width="4"${dashes && html` stroke-dasharray="8 3"`}/></g></svg>${name}</li>`;
  });
  return html`<ul class="key">${entries}</ul>`;
}

/** Facts of a run, its time by part, its workers, its configuration. */
export function runDetails({ name, facts, timings, workers, config }: RunData): Markup {
  const entries = facts.map(([term, value]) => html`<dt>${term}</dt><dd>${value}</dd>`);
  return html`<h2>${name}</h2><div class="columns"><div><dl>${entries}</dl>${timings.rows.length > 0 && html`<h3>Time by part</h3>${table(timings)}`}${workers && workers.rows.length > 0 && html`<h3>Workers</h3>${table(workers)}`}</div><div><h3>Configuration</h3><pre tabindex="0">${config}</pre></div></div>`;
}
