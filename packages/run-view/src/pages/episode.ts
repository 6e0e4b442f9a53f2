// One episode, with the others of its group beside it.

import { html, type Markup } from "@iapo/rollout-trace/text";
import {
  type GroupViewOptions,
  groupView,
  type ImageAddress,
  readGroup,
  sampleView,
  taskView,
  tokenColors,
} from "@iapo/run-report";
import { type EpisodeFilter, type FoundEpisode, findEpisodes } from "../index/episode-filter.ts";
import type { IndexedStep } from "../index/run-index.ts";
import type { ViewedRun } from "../runs/library.ts";
import type { Heat } from "../runs/study-files.ts";
import { address } from "./address.ts";
import { episodeAddress } from "./episodes.ts";
import { layout } from "./layout.ts";

export interface EpisodePlace {
  readonly run: ViewedRun;
  readonly step: IndexedStep;
  readonly group: number;
  readonly sample: number;
}

/** The table that the episode was reached from. */
export interface EpisodeList {
  readonly runs: readonly ViewedRun[];
  readonly chosen: readonly string[];
  readonly filter: EpisodeFilter;
}

/** A group of more is shown in part. */
const mostSamples = 64;

/** Undefined where there is no such episode. @throws TraceError where its file is damaged before its end */
export async function episodePage(
  { run, step, group, sample }: EpisodePlace,
  list: EpisodeList,
  tokenTexts: GroupViewOptions["tokenTexts"],
  heatsOf: (task: string) => Promise<readonly Heat[]>,
): Promise<string | undefined> {
  const read = await readGroup(step, group);
  if (!read) return undefined;
  const { data } = groupView(run.name, read, {
    mostSamples,
    tokenTexts,
    attributed: sample,
    href: (one) => episodeAddress(run.name, step.step, group, one, list.filter, list.chosen),
    wholeText: (one, turn) => address("/text", { run: run.name, step: step.step, group, sample: one, turn }),
  });
  const shown = data.samples.find((one) => one.sample === sample);
  if (!shown) return undefined;
  const images = imageAddress(run, step);
  const siblings = data.samples.filter((one) => one !== shown);
  return layout({
    title: `Step ${step.step}, group ${group}, sample ${sample}`,
    place: "episodes",
    chosen: [run.name],
    body: html`<p class="bar">${neighbors({ run, step, group, sample }, list)}<span class="note">${run.name} · <a href="${address("/step", { run: run.name, step: step.step })}">step ${step.step}</a> · task <a href="${address("/episodes", { run: run.name, task: data.task.id })}">${data.task.id}</a> of ${data.task.source}</span></p>
${step.damage !== undefined && html`<p class="alarm">${step.damage}</p>`}
<article class="episode">${taskView(data, images)}
${tokenColors()}
<div class="chosen">${sampleView({ ...shown, href: undefined }, images, data.task.image)}</div>
${heatView(await heatsOf(data.task.id))}
${siblings.length > 0 && html`<h2>${siblings.length === 1 ? "The other sample" : `The other ${siblings.length} samples`} of the group</h2><div class="samples">${siblings.map((one) => sampleView(one, images, data.task.image))}</div>`}</article>`,
  });
}

/** Of studies, as a run scores blocks and not patches. */
function heatView(heats: readonly Heat[]): Markup {
  const note = html`<p class="note">A run logs the scores of blocks, none of patches: ${heats.length > 0 ? "these are of" : "heat on the picture is drawn for one call by"} <code>iapo attribute</code>${heats.length === 0 && ", and shown here where it is left beside the runs"}.</p>`;
  if (heats.length === 0) return note;
  const figures = heats.map(
    ({ name, text }) =>
      html`<figure class="study"><img src="${address("/study", { file: name })}" alt="What the call rests on, by patch" loading="lazy"><figcaption>${name}<pre tabindex="0">${text.slice(0, 1000)}</pre></figcaption></figure>`,
  );
  return html`<h2>Heat on the picture</h2>${note}<div class="studies">${figures}</div>`;
}

function imageAddress({ name }: ViewedRun, { step, images }: IndexedStep): ImageAddress {
  return (id) => (images.has(id) ? address("/image", { run: name, step, id }) : undefined);
}

function neighbors({ run, step, group, sample }: EpisodePlace, { runs, chosen, filter }: EpisodeList): Markup {
  const found = findEpisodes(runs, filter);
  const at = found.findIndex(
    (one) =>
      one.run.name === run.name &&
      one.step.step === step.step &&
      one.group.group === group &&
      one.sample.sample === sample,
  );
  const link = (to: FoundEpisode | undefined, text: string, rel: string): Markup | undefined =>
    to &&
    html`<a class="button" rel="${rel}" href="${episodeAddress(to.run.name, to.step.step, to.group.group, to.sample.sample, filter, chosen)}">${text}</a>`;
  if (at < 0) return html``;
  return html`${link(found[at - 1], "← previous", "prev")}${link(found[at + 1], "next →", "next")}<a href="${address("/episodes", { ...filter, run: chosen })}">${at + 1} of ${found.length}</a>`;
}
