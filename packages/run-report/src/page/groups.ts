// The episodes: a list of groups, and each group with its task, prompt and samples beside each other.
import { html, type Markup } from "@iapo/rollout-trace/text";
import { formatNumber } from "../numbers.ts";
import type { GroupData, PageData } from "./data.ts";
import { type ImageAddress, sampleView, taskView } from "./episode.ts";

export function groupBrowser({ groups, images, runs }: PageData): Markup | undefined {
  if (groups.length === 0) return undefined;
  const addresses: ImageAddress = (id) => (Object.hasOwn(images, id) ? images[id] : undefined); // ids are hostile: toString is none
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
<div class="browser"><nav aria-label="Groups"><ol>${groups.map(listEntry)}</ol></nav><div>${groups.map((group, i) => groupView(group, i, addresses))}</div></div></section>`;
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

function groupView(group: GroupData, index: number, images: ImageAddress): Markup {
  const { run, step, group: number, task, samples } = group;
  return html`<article id="group-${index}"><p class="note">${run}, step ${step}, group ${number}, task ${task.id} of ${task.source}</p>
${taskView(group, images)}
<div class="samples">${samples.map((sample) => sampleView(sample, images, task.image))}</div></article>`;
}
