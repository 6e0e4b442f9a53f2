// One group of episodes: its task, its prompt, and its samples beside each other. The same in the report and in the viewer.
import { html, type Markup } from "@iapo/rollout-trace/text";
import { formatNumber } from "../numbers.ts";
import { barChart } from "../svg/bars.ts";
import type { BlockData, GroupData, ImageData, SampleData, ToolData, TurnData } from "./data.ts";
import { tokensView } from "./tokens.ts";

/** The address of an image; undefined where there is none. */
export type ImageAddress = (id: string) => string | undefined;

export function taskView({ task, samples, size, blocks }: GroupData, images: ImageAddress): Markup {
  return html`<div class="task">${task.image && html`<div>${picture(task.image, images, "The task's image")}</div>`}<div><p class="question">${task.question}</p><dl>${task.answers.length > 0 && html`<dt>Accepted</dt><dd>${task.answers.join(" | ")}</dd>`}<dt>Samples</dt><dd>${samples.length === size ? size : `${samples.length} of ${size}, from the highest to the lowest reward`}</dd></dl>
<details${blocks.some(({ shares }) => shares) && html` open`}><summary>Prompt, ${blocks.length} blocks</summary>${blocks.map(promptBlock)}</details></div></div>`;
}

function promptBlock({ kind, name, text, shares = [] }: BlockData): Markup {
  const rests = shares.map(([model, value]) => html` <span class="tag">${model} ${formatNumber(value)}</span>`);
  const [, first = 0] = shares[0] ?? [];
  const size = Math.min(6, Math.ceil(Math.abs(first) * 6 - 0.06));
  const level = `${first < 0 && size > 0 ? "-" : ""}${size}`;
  if (text === undefined)
    return html`<p class="block" data-b="${level}"><span class="tag">${kind}</span> ${name}${rests}</p>`;
  const [line = ""] = text.split("\n", 1);
  return html`<details class="block" data-b="${level}"><summary><span class="tag">${kind}</span> ${name === kind ? line : name}${rests}</summary><pre tabindex="0">${text}</pre></details>`;
}

export function sampleView(sample: SampleData, images: ImageAddress, before?: ImageData): Markup {
  const { rewards, penalty, shapedReward, turns, evidence, numbers, arithmetic = [], href } = sample;
  const outcome = rewards.find(([name]) => name === "outcome")?.[1];
  const others = rewards.filter(([name]) => name !== "outcome");
  const shaped =
    shapedReward === null ? "dropped" : shapedReward === undefined ? undefined : formatNumber(shapedReward);
  const name = `Sample ${sample.sample}`;
  return html`<section class="sample"><h4><span>${href === undefined ? name : html`<a href="${href}">${name}</a>`}</span>${
    outcome !== undefined && html`<span>reward ${formatNumber(outcome)}</span>`
  }${penalty !== undefined && penalty !== 0 && html`<span>penalty ${formatNumber(penalty)}</span>`}${
    shaped !== undefined && html`<span>shaped ${shaped}</span>`
  }</h4>
${turns.map((turn, i) => turnView(turn, i, images, before))}
${others.length > 0 && html`<p>${others.map(([name, value]) => html`<span class="tag">${name} ${formatNumber(value)}</span> `)}</p>`}
${arithmetic.length > 0 && html`<ul class="arithmetic">${arithmetic.map((line) => html`<li>${line}</li>`)}</ul>`}
${numbers.length > 0 && html`<p>${numbers.map(([name, value]) => html`<span class="tag">${name} ${formatNumber(value)}</span> `)}</p>`}
${evidence.map((chart) => html`<details open><summary>${chart.title}</summary>${barChart(chart)}</details>`)}</section>`;
}

function turnView(turn: TurnData, index: number, images: ImageAddress, before: ImageData | undefined): Markup {
  const { text, pieces, tokens, meanLogProb, advantage, tool, wholeText } = turn;
  return html`<div class="turn"><p class="note">Turn ${index + 1}: ${tokens} tokens, mean log-prob ${formatNumber(meanLogProb)}${
    advantage !== undefined && html`, advantage ${formatNumber(advantage)}`
  }</p><pre tabindex="0">${
    pieces ? tokensView(pieces) : text === "" ? "(nothing)" : programText(text, tool?.failedLine)
  }</pre>${wholeText !== undefined && html`<p class="note"><a href="${wholeText}">the whole text</a></p>`}${tool && toolView(tool, images, before)}</div>`;
}

/** The text with the line marked at which its program failed. */
function programText(text: string, failedLine: number | undefined): Markup {
  const fence = "```";
  const start = failedLine === undefined ? -1 : text.indexOf(fence) + fence.length;
  if (failedLine === undefined || start < fence.length) return html`${text}`;
  const lines = text.slice(start).split("\n");
  const at = lines.slice(0, failedLine - 1).reduce((sum, { length }) => sum + length + 1, start);
  const end = at + (lines[failedLine - 1]?.length ?? 0);
  return html`${text.slice(0, at)}<mark>${text.slice(at, end)}</mark>${text.slice(end)}`;
}

function toolView(tool: ToolData, images: ImageAddress, before: ImageData | undefined): Markup {
  const { status, reason, tools, keys, unknownKeys, changed, image } = tool;
  const grade = status === "ok" ? "good" : status === "no_tool" ? "" : "bad";
  const names = (list: readonly string[]): string => list.join(", ");
  return html`<p><span class="tag ${grade}">${status}</span> ${tools.map((name) => html`<span class="tag">${name}</span> `)}${
    keys.length > 0 && html`<span class="tag">names: ${names(keys)}</span> `
  }${unknownKeys.length > 0 && html`<span class="tag bad">without a box: ${names(unknownKeys)}</span> `}${
    status === "ok" && !changed && html`<span class="tag bad">image unchanged</span>`
  }</p>${reason && html`<p class="note">${reason}</p>`}${image && editedPicture(image, images, before)}`;
}

/** The script lays the original over it, under a slider. */
function editedPicture(image: ImageData, images: ImageAddress, before: ImageData | undefined): Markup {
  const shown = picture(image, images, "The image that the tool showed");
  const isAlike = before !== undefined && before.width === image.width && before.height === image.height;
  return isAlike ? html`<div class="edited" data-before="${before.id}">${shown}</div>` : shown;
}

export function picture({ id, width, height }: ImageData, images: ImageAddress, description: string): Markup {
  const source = images(id);
  const size = `${width} × ${height}`;
  if (source === undefined)
    return html`<div class="missing">${description}, ${size} pixels, is not in this report (${id.slice(0, 12)})</div>`;
  return html`<img src="${source}" width="${width}" height="${height}" alt="${description}, ${size} pixels" loading="lazy" data-image="${id}"${width <= 300 && html` class="small"`}>`;
}
