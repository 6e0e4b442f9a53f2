// Curves of runs: the page has a place for each chart, which asks for its values once it is looked at.

import { html, type Markup } from "@iapo/rollout-trace/text";
import { colorKey, configurationsOf, type ListedMetric, type LoadedRun, listedMetrics } from "@iapo/run-report";
import type { ViewedRun } from "../runs/library.ts";
import { address } from "./address.ts";
import { layout } from "./layout.ts";

export interface CurveChoice {
  /** Means over seeds with a band, in place of each run. */
  readonly mean: boolean;
}

export function curvesPage(all: readonly ViewedRun[], runs: readonly ViewedRun[], { mean }: CurveChoice): string {
  const { sections, others } = listedMetrics(new Set(runs.flatMap(({ index }) => [...index.columns.names])));
  const chosen = runs.map(({ name }) => name);
  const names = mean ? configurationsOf(loaded(runs, [])).map(({ name }) => name) : chosen;
  const grid = (metrics: readonly ListedMetric[]): Markup =>
    html`<div class="charts">${metrics.map((one) => figure(one, chosen, mean))}</div>`;
  const choice =
    all.length > 1 &&
    html`<details class="choice"${runs.length === 0 && html` open`}><summary>${runs.length} of ${all.length} runs</summary><form method="get" data-submit>${all.map(
      ({ name }) =>
        html`<label><input type="checkbox" name="run" value="${name}"${chosen.includes(name) && html` checked`}> ${name}</label>`,
    )}${mean && html`<input type="hidden" name="mean" value="1">`}<button type="submit">Show</button></form></details>`;
  return layout({
    title: runs.length === 1 ? `Curves of ${chosen[0]}` : `Curves of ${runs.length} runs`,
    place: "curves",
    chosen,
    body: html`${choice}
<form id="curve-controls" class="bar controls" method="get">${chosen.map((name) => html`<input type="hidden" name="run" value="${name}">`)}
<label>smoothing <input type="range" name="smooth" min="0" max="0.99" step="0.01" value="0"> <output>0</output></label>
<label><input type="checkbox" name="log" value="1"> logarithmic</label>
<label><input type="checkbox" name="mean" value="1"${mean && html` checked`}> mean and band over seeds</label>
<label>find <input type="search" name="find" placeholder="metric" autocomplete="off"></label>
<button type="button" id="whole" hidden>Whole range</button></form>
${colorKey(names)}
<p class="note">Lines are training rollouts, dots on dashes held-out tasks. Draw over a chart to zoom all of them, double click to see all again.</p>
<div id="charts">${sections.map(({ title, metrics }) => html`<section><h2>${title}</h2>${grid(metrics)}</section>`)}
${others.length > 0 && html`<section><h2>Other metrics</h2>${grid(others)}</section>`}
${sections.length + others.length === 0 && html`<p class="note">There are no values yet.</p>`}</div>`,
  });
}

function figure({ metric, title }: ListedMetric, run: readonly string[], mean: boolean): Markup {
  const query = { metric, run, mean: mean ? 1 : undefined };
  return html`<figure class="curve" data-metric="${metric}" data-title="${title}"><figcaption>${title}<span class="exports"><a href="${address("/data/curve.svg", query)}" download>SVG</a> <a href="${address("/data/curve.csv", query)}" download>CSV</a></span></figcaption><div class="plot" tabindex="0" role="img" aria-label="${title}"></div><output></output></figure>`;
}

/** As the report's functions take runs, with the values of some metrics only. */
export function loaded(runs: readonly ViewedRun[], metrics: readonly string[]): LoadedRun[] {
  return runs.map(({ name, directory, record, index }) => ({
    name,
    directory,
    file: record ?? { kernelFamily: "", adapter: "", code: {}, content: {}, commits: {}, settings: { of: name } },
    steps: index.columns.steps(metrics),
  }));
}
