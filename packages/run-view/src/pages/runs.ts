// The list of runs.

import { html, type Markup } from "@iapo/rollout-trace/text";
import { alarmTable, formatDuration, formatNumber } from "@iapo/run-report";
import type { ViewedRun } from "../runs/library.ts";
import { address } from "./address.ts";
import { layout, live } from "./layout.ts";
import { alarmsOf, lastValue } from "./run-facts.ts";

/** Of training the mean of the last steps, held out the last value. */
const figures = [
  ["reward/outcome", "reward"],
  ["val/reward/outcome", "held out"],
  ["reward/tool_misuse", "misuse"],
  ["reward/tool_names", "right names"],
  ["train/loss", "loss"],
] as const;

export function runsPage(runs: readonly ViewedRun[]): string {
  const shown = figures.filter(([metric]) => runs.some((run) => lastValue(run, metric) !== undefined));
  const row = (run: ViewedRun): Markup => html`<tr>
<td><label class="pick"><input type="checkbox" name="run" value="${run.name}" data-keep="${run.name}"> <span class="hidden">choose</span></label> <a href="${address("/run", { run: run.name })}">${run.name}</a></td>
<td>${stateTag(run)}</td><td>${progress(run)}</td>${shown.map(([metric]) => html`<td class="n">${valueText(lastValue(run, metric))}</td>`)}
<td class="n">${alarmsOf(run).length || ""}</td><td>${age(run)}</td></tr>`;
  const list =
    runs.length === 0
      ? html`<p class="note">There is no run yet. One shows here as soon as it has its first file.</p>`
      : html`<div class="table" tabindex="0"><table class="list runs"><thead><tr><th scope="col">run</th><th scope="col">state</th><th scope="col">steps</th>${shown.map(([, title]) => html`<th scope="col" class="n">${title}</th>`)}<th scope="col" class="n">alarms</th><th scope="col">last step</th></tr></thead><tbody>${runs.map(row)}</tbody></table></div>`;
  return layout({
    title: "Runs",
    place: "runs",
    chosen: [],
    body: html`<form action="/curves" method="get">${live("runs", list)}
<p class="bar"><button type="submit">Curves of the chosen</button><button type="submit" formaction="/compare">Compare the chosen</button><button type="submit" formaction="/episodes">Episodes of the chosen</button></p></form>
${live(
  "alarms",
  runs.map((run) => alarmTable({ name: run.name, alarms: alarmsOf(run).slice(-12) })),
)}`,
  });
}

/** A sign and a word, besides the color. */
export function stateTag({ state: { state, writer }, index, problem }: ViewedRun): Markup {
  if (problem !== undefined) return html`<span class="tag bad" title="${problem}">cannot be read</span>`;
  if (index.pending > 0) return html`<span class="tag">reading, ${index.pending} files left</span>`;
  const sign = { training: "●", ended: "✓", interrupted: "‖", died: "✕", evaluation: "◇" }[state];
  const level = { training: "good", ended: "", interrupted: "", died: "bad", evaluation: "" }[state];
  const title = writer ? `process ${writer.pid} on ${writer.host} since ${writer.since}` : "no process is at work";
  return html`<span class="tag ${level}" title="${title}">${sign} ${state}${writer && !writer.isHere && " elsewhere"}</span>`;
}

function progress({ state: { done, planned } }: ViewedRun): Markup {
  if (planned === undefined) return html`${done}`;
  return html`<progress max="${planned}" value="${Math.min(done, planned)}" aria-label="steps done"></progress> ${done} of ${planned}`;
}

function age({ index }: ViewedRun): string {
  const last = index.steps.at(-1);
  if (!last) return "";
  const seconds = (Date.now() - last.file.modified) / 1000;
  return seconds < 3600 * 48
    ? `${formatDuration(Math.max(1, seconds))} ago`
    : new Date(last.file.modified).toISOString().slice(0, 10);
}

function valueText(value: number | undefined): string {
  return value === undefined ? "" : formatNumber(value);
}
