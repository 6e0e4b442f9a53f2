// The page as one file: it loads nothing, and tells the browser to load nothing and to run no script but its own.
import { createHash } from "node:crypto";
import { html, Markup } from "@iapo/rollout-trace/text";
import { type LineChart, lineChart } from "../svg/line-chart.ts";
import { behavior } from "./behavior.ts";
import type { PageData } from "./data.ts";
import { enhance } from "./enhance.ts";
import { groupBrowser } from "./groups.ts";
import { alarmTable, colorKey, runDetails, table } from "./parts.ts";
import { pageStyle } from "./style.ts";

/** The report of one or several runs as an HTML document. */
export function renderPage(data: PageData): string {
  const script = `(${enhance.toString()})(document);(${behavior.toString()})();`;
  const policy = `default-src 'none'; img-src data:; style-src '${hashOf(pageStyle)}'; script-src '${hashOf(script)}'; base-uri 'none'; form-action 'none'`;
  const sections = [
    { id: "curves", title: "Curves" },
    ...(data.groups.length > 0 ? [{ id: "groups", title: "Episodes" }] : []),
    { id: "runs", title: data.runs.length === 1 ? "The run" : "The runs" },
  ];
  return `<!doctype html>\n${html`<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<title>${data.title}</title>
<style>${new Markup(pageStyle)}</style>
</head>
<body>
<header>
<a class="skip" href="#curves">Skip to the curves</a>
<h1>${data.title}</h1>
<nav aria-label="Parts of the page">${sections.map(({ id, title }) => html`<a href="#${id}">${title}</a>`)}</nav>
<button type="button" id="theme">Dark or light</button>
</header>
<main>
${data.runs.map(alarmTable)}
${data.notes.map((note) => html`<p class="note">${note}</p>`)}
${data.summary.rows.length > 0 && html`<h2>Final metrics</h2>${table(data.summary)}`}
${curves(data)}
${groupBrowser(data)}
<section id="runs">${data.runs.map(runDetails)}</section>
</main>
<script>${new Markup(script)}</script>
</body>
</html>
`}`;
}

function hashOf(text: string): string {
  return `sha256-${createHash("sha256").update(text).digest("base64")}`;
}

function curves({ charts, otherCharts, runs }: PageData): Markup {
  return html`<section id="curves"><h2>Curves</h2>${runs.length > 1 && colorKey(runs.map(({ name }) => name))}<p class="note">Lines are training rollouts, dots on dashes held-out tasks. A focused chart is read out with the arrow keys.</p>
${charts.map(({ title, charts: own }) => html`<h3>${title}</h3>${chartGrid(own)}`)}
${otherCharts.length > 0 && html`<details class="others"><summary>${otherCharts.length} other metrics</summary>${chartGrid(otherCharts)}</details>`}</section>`;
}

function chartGrid(charts: readonly LineChart[]): Markup {
  const layout = { width: 340, height: 214, legend: false };
  return html`<div class="charts">${charts.map((chart) => html`<figure>${lineChart(chart, layout)}<output></output></figure>`)}</div>`;
}
