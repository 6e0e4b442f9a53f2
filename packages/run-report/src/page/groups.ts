// The episodes: a list of groups, and each group with its task, prompt and samples beside each other.
import { html, type Markup } from "@iapo/rollout-trace/text";
import { formatNumber } from "../numbers.ts";
import { barChart } from "../svg/bars.ts";
import type { BlockData, GroupData, ImageData, PageData, SampleData, ToolData, TurnData } from "./data.ts";

type Images = PageData["images"];

export function groupBrowser({ groups, images, runs }: PageData): Markup | undefined {
  if (groups.length === 0) return undefined;
  const statuses = [...new Set(groups.flatMap(statusesOf))].sort();
  const filter = (name: string, label: string, values: readonly string[]): Markup =>
    html`<label>${label} <select name="${name}"><option value="">all</option>${values.map((value) => html`<option>${value}</option>`)}</select></label>`;
  return html`<section id="groups"><h2>Episodes</h2>
<div class="bar">${
    runs.length > 1 &&
    filter(
      "run",
      "Run",
      runs.map(({ name }) => name),
    )
  }${filter("status", "Tool program", statuses)}<button type="button" data-move="-1">← previous</button><button type="button" data-move="1">next →</button><span class="note">or the keys ← →</span></div>
<div class="browser"><nav aria-label="Groups"><ol>${groups.map(listEntry)}</ol></nav><div>${groups.map((group, i) => groupView(group, i, images))}</div></div></section>`;
}

function statusesOf({ samples }: GroupData): string[] {
  return [...new Set(samples.flatMap(({ turns }) => turns.flatMap(({ tool }) => (tool ? [tool.status] : []))))];
}

function listEntry(group: GroupData, index: number): Markup {
  const outcomes = group.samples.map(({ rewards }) => rewards.find(([name]) => name === "outcome")?.[1]);
  const known = outcomes.filter((value) => value !== undefined);
  const mean = known.length > 0 ? `, reward ${formatNumber(known.reduce((a, b) => a + b, 0) / known.length)}` : "";
  return html`<li><a href="#group-${index}" data-run="${group.run}" data-status="${statusesOf(group).join("\n")}"><small>${group.run}, step ${group.step}${mean}</small><span class="asked">${group.task.question}</span></a></li>`;
}

function groupView(
  { run, step, group, task, blocks, samples, size }: GroupData,
  index: number,
  images: Images,
): Markup {
  return html`<article id="group-${index}"><p class="note">${run}, step ${step}, group ${group}, task ${task.id} of ${task.source}</p>
<div class="task">${task.image && html`<div>${picture(task.image, images, "The task's image")}</div>`}<div><p class="question">${task.question}</p><dl>${task.answers.length > 0 && html`<dt>Accepted</dt><dd>${task.answers.join(" | ")}</dd>`}<dt>Samples</dt><dd>${samples.length === size ? size : `${samples.length} of ${size}, from the highest to the lowest reward`}</dd></dl>
<details><summary>Prompt, ${blocks.length} blocks</summary>${blocks.map(promptBlock)}</details></div></div>
<div class="samples">${samples.map((sample) => sampleView(sample, images))}</div></article>`;
}

function promptBlock({ kind, name, text }: BlockData): Markup {
  if (text === undefined) return html`<p class="note">${kind}: ${name}</p>`;
  const [first = ""] = text.split("\n", 1);
  return html`<details><summary><span class="tag">${kind}</span> ${name === kind ? first : name}</summary><pre tabindex="0">${text}</pre></details>`;
}

function sampleView(sample: SampleData, images: Images): Markup {
  const { rewards, penalty, shapedReward, turns, evidence, numbers } = sample;
  const outcome = rewards.find(([name]) => name === "outcome")?.[1];
  const others = rewards.filter(([name]) => name !== "outcome");
  const shaped =
    shapedReward === null ? "dropped" : shapedReward === undefined ? undefined : formatNumber(shapedReward);
  return html`<section class="sample"><h4><span>Sample ${sample.sample}</span>${
    outcome !== undefined && html`<span>reward ${formatNumber(outcome)}</span>`
  }${penalty !== undefined && penalty !== 0 && html`<span>penalty ${formatNumber(penalty)}</span>`}${
    shaped !== undefined && html`<span>shaped ${shaped}</span>`
  }</h4>
${turns.map((turn, i) => turnView(turn, i, images))}
${others.length > 0 && html`<p>${others.map(([name, value]) => html`<span class="tag">${name} ${formatNumber(value)}</span> `)}</p>`}
${numbers.length > 0 && html`<p>${numbers.map(([name, value]) => html`<span class="tag">${name} ${formatNumber(value)}</span> `)}</p>`}
${evidence.map((chart) => html`<details open><summary>${chart.title}</summary>${barChart(chart)}</details>`)}</section>`;
}

function turnView({ text, tokens, meanLogProb, advantage, tool }: TurnData, index: number, images: Images): Markup {
  return html`<p class="note">Turn ${index + 1}: ${tokens} tokens, mean log-prob ${formatNumber(meanLogProb)}${
    advantage !== undefined && html`, advantage ${formatNumber(advantage)}`
  }</p><pre tabindex="0">${text === "" ? "(nothing)" : text}</pre>${tool && toolView(tool, images)}`;
}

function toolView({ status, reason, tools, keys, unknownKeys, changed, image }: ToolData, images: Images): Markup {
  const level = status === "ok" ? "good" : status === "no_tool" ? "" : "bad";
  const names = (list: readonly string[]): string => list.join(", ");
  return html`<p><span class="tag ${level}">${status}</span> ${tools.map((name) => html`<span class="tag">${name}</span> `)}${
    keys.length > 0 && html`<span class="tag">names: ${names(keys)}</span> `
  }${unknownKeys.length > 0 && html`<span class="tag bad">without a box: ${names(unknownKeys)}</span> `}${
    status === "ok" && !changed && html`<span class="tag bad">image unchanged</span>`
  }</p>${reason && html`<p class="note">${reason}</p>`}${image && picture(image, images, "The image that the tool showed")}`;
}

function picture({ id, width, height }: ImageData, images: Images, description: string): Markup {
  const source = Object.hasOwn(images, id) ? images[id] : undefined; // ids are hostile: toString is none
  const size = `${width} × ${height}`;
  if (source === undefined)
    return html`<div class="missing">${description}, ${size} pixels, is not in this report (${id.slice(0, 12)})</div>`;
  return html`<img src="${source}" width="${width}" height="${height}" alt="${description}, ${size} pixels" loading="lazy"${width <= 300 && html` class="small"`}>`;
}
