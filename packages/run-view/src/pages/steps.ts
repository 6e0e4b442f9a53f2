// The list of a run's steps.

import { html, type Markup } from "@iapo/rollout-trace/text";
import { formatNumber } from "@iapo/run-report";
import type { ViewedRun } from "../runs/library.ts";
import { address } from "./address.ts";
import { layout, live } from "./layout.ts";
import { runChoice } from "./run-choice.ts";

const columns = [
  ["reward/outcome", "reward"],
  ["critic/penalty/mean", "penalty"],
  ["train/loss", "loss"],
  ["actor/pg_clipfrac", "clipped"],
  ["actor/grad_norm", "gradient norm"],
  ["memory/peak_gib", "GiB in use"],
  ["memory/peak_reserved_gib", "GiB reserved"],
] as const;

/** The newest first. */
const mostRows = 500;

export function stepsPage(all: readonly ViewedRun[], run: ViewedRun | undefined): string {
  return layout({
    title: run ? `Steps of ${run.name}` : "Steps",
    place: "steps",
    chosen: run ? [run.name] : [],
    body: [runChoice(all, run), live("steps", run && list(run))],
  });
}

function list({ name, index }: ViewedRun): Markup {
  const values = index.columns.steps(columns.map(([metric]) => metric));
  const shown = columns.filter(([metric]) => index.columns.names.has(metric));
  const rows = index.steps
    .map((step, i) => ({ step, metrics: values[i]?.metrics ?? {} }))
    .slice(-mostRows)
    .reverse();
  return html`<div class="table" tabindex="0"><table class="list"><thead><tr><th scope="col">step</th><th scope="col" class="n">seconds</th>${shown.map(([, title]) => html`<th scope="col" class="n">${title}</th>`)}<th scope="col" class="n">episodes</th><th scope="col"></th></tr></thead><tbody>${rows.map(
    ({ step, metrics }) => {
      const seconds = Object.values(index.timings(step.step) ?? {}).reduce((sum, value) => sum + value, 0);
      const episodes = step.groups.reduce((sum, { samples }) => sum + samples.length, 0);
      return html`<tr><td><a href="${address("/step", { run: name, step: step.step })}">${step.step}</a></td><td class="n">${seconds > 0 ? formatNumber(seconds) : ""}</td>${shown.map(([metric]) => html`<td class="n">${valueText(metrics[metric])}</td>`)}<td class="n">${episodes}</td><td>${step.damage !== undefined && html`<span class="tag bad" title="${step.damage}">damaged</span>`}${!step.isPublished && html`<span class="tag">no checkpoint yet</span>`}</td></tr>`;
    },
  )}</tbody></table></div>${index.steps.length > mostRows && html`<p class="note">The last ${mostRows} of ${index.steps.length}.</p>`}`;
}

function valueText(value: number | null | undefined): string {
  return value === undefined ? "" : value === null ? "not finite" : formatNumber(value);
}
