// The page as one file: it loads nothing, and tells the browser to load nothing and to run no script but its own.
import { createHash } from "node:crypto";
import { html, Markup } from "@iapo/rollout-trace/text";
import { type LineChart, lineChart } from "../svg/line-chart.ts";
import { seriesStyle } from "../svg/palette.ts";
import { behavior } from "./behavior.ts";
import type { PageData, RunData, Table } from "./data.ts";
import { groupBrowser } from "./groups.ts";
import { style } from "./style.ts";

/** The report of one or several runs as an HTML document. */
export function renderPage(data: PageData): string {
  const script = `(${behavior.toString()})();`;
  const policy = `default-src 'none'; img-src data:; style-src '${hashOf(style)}'; script-src '${hashOf(script)}'; base-uri 'none'; form-action 'none'`;
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
<style>${new Markup(style)}</style>
</head>
<body>
<header>
<a class="skip" href="#curves">Skip to the curves</a>
<h1>${data.title}</h1>
<nav aria-label="Parts of the page">${sections.map(({ id, title }) => html`<a href="#${id}">${title}</a>`)}</nav>
<button type="button" id="theme">Dark or light</button>
</header>
<main>
${data.runs.map(alarms)}
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

function table({ columns, rows }: Table): Markup {
  return html`<div class="table" tabindex="0"><table><thead><tr>${columns.map((name) => html`<th scope="col">${name}</th>`)}</tr></thead><tbody>${rows.map(
    (cells) => html`<tr>${cells.map((cell) => html`<td>${cell}</td>`)}</tr>`,
  )}</tbody></table></div>`;
}

function alarms({ name, alarms: raised }: RunData): Markup | undefined {
  if (raised.length === 0) return undefined;
  const items = raised.map(
    (alarm) => html`<tr><td>${alarm.step}</td><td class="alarm">${alarm.name}</td><td>${alarm.meaning}</td></tr>`,
  );
  return html`<h2 class="alarm">Alarms of ${name}</h2><div class="table" tabindex="0"><table class="texts"><thead><tr><th scope="col">Step</th><th scope="col">Alarm</th><th scope="col">Meaning</th></tr></thead><tbody>${items}</tbody></table></div>`;
}

function curves({ charts, otherCharts, runs }: PageData): Markup {
  return html`<section id="curves"><h2>Curves</h2>${runs.length > 1 && colorKey(runs)}<p class="note">Lines are training rollouts, dots on dashes held-out tasks. A focused chart is read out with the arrow keys.</p>
${charts.map(({ title, charts: own }) => html`<h3>${title}</h3>${chartGrid(own)}`)}
${otherCharts.length > 0 && html`<details class="others"><summary>${otherCharts.length} other metrics</summary>${chartGrid(otherCharts)}</details>`}</section>`;
}

function chartGrid(charts: readonly LineChart[]): Markup {
  const layout = { width: 340, height: 214, legend: false };
  return html`<div class="charts">${charts.map((chart) => html`<figure>${lineChart(chart, layout)}<output></output></figure>`)}</div>`;
}

function colorKey(runs: readonly RunData[]): Markup {
  const entries = runs.map(({ name }, i) => {
    const { color, className, dashes } = seriesStyle(i);
    return html`<li><svg viewBox="0 0 22 10" aria-hidden="true"><g class="${className}"><line x1="0" x2="22" y1="5" y2="5" stroke="${color}" stroke-width="4"${dashes && html` stroke-dasharray="8 3"`}/></g></svg>${name}</li>`;
  });
  return html`<ul class="key">${entries}</ul>`;
}

function runDetails({ name, facts, timings, config }: RunData): Markup {
  const entries = facts.map(([term, value]) => html`<dt>${term}</dt><dd>${value}</dd>`);
  return html`<h2>${name}</h2><div class="columns"><div><dl>${entries}</dl>${timings.rows.length > 0 && html`<h3>Time by part</h3>${table(timings)}`}</div><div><h3>Configuration</h3><pre tabindex="0">${config}</pre></div></div>`;
}
