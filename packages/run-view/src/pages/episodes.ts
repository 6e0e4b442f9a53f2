// The table of episodes.

import { html, type Markup } from "@iapo/rollout-trace/text";
import { formatNumber } from "@iapo/run-report";
import { type EpisodeFilter, type FoundEpisode, findEpisodes, outcomeOf } from "../index/episode-filter.ts";
import type { ViewedRun } from "../runs/library.ts";
import { address } from "./address.ts";
import { filterForm, filterQuery } from "./filter-form.ts";
import { layout, live } from "./layout.ts";

const rowsOfPage = 100;

export function episodesPage(
  all: readonly ViewedRun[],
  runs: readonly ViewedRun[],
  filter: EpisodeFilter,
  page: number,
): string {
  const found = findEpisodes(runs, filter);
  const chosen = runs.length === all.length ? [] : runs.map(({ name }) => name);
  const first = Math.min(page * rowsOfPage, Math.max(0, found.length - 1));
  const shown = found.slice(first, first + rowsOfPage);
  const turn = (to: number, text: string, rel: string): Markup =>
    html` <a rel="${rel}" href="${address("/episodes", { ...filterQuery(filter, chosen), page: to || undefined })}">${text}</a>`;
  const pages = html`<p class="note"><b id="count">${found.length}</b> episodes${found.length > rowsOfPage && html`, ${first + 1} to ${first + shown.length}`}${page > 0 && turn(page - 1, "← previous", "prev")}${first + rowsOfPage < found.length && turn(page + 1, "next →", "next")}</p>`;
  const pending = runs.reduce((sum, { index }) => sum + index.pending, 0);
  return layout({
    title: "Episodes",
    place: "episodes",
    chosen,
    body: [
      filterForm(all, runs, filter),
      live("episodes", [
        pending > 0 && html`<p class="note">${pending} step files are still to be read.</p>`,
        pages,
        html`<div class="table" tabindex="0"><table class="list episodes"><thead><tr>${runs.length > 1 && html`<th scope="col">run</th>`}<th scope="col" class="n">step</th><th scope="col">episode</th><th scope="col">question</th><th scope="col">program</th><th scope="col">tools</th><th scope="col" class="n">outcome</th><th scope="col" class="n">penalty</th><th scope="col" class="n">advantage</th><th scope="col" class="n">tokens</th></tr></thead><tbody>${shown.map((one) => row(one, filter, runs.length > 1, chosen))}</tbody></table></div>`,
      ]),
    ],
  });
}

function row(
  { run, step, group, sample }: FoundEpisode,
  filter: EpisodeFilter,
  hasRun: boolean,
  chosen: readonly string[],
): Markup {
  const link = episodeAddress(run.name, step.step, group.group, sample.sample, filter, chosen);
  const { status, tools, misuse, outcome, penalty, advantage, tokens } = sample;
  const grade = status === "ok" ? "good" : status === "" || status === "no_tool" ? "" : "bad";
  return html`<tr>${hasRun && html`<td>${run.name}</td>`}<td class="n">${step.step}</td><td><a href="${link}">${group.group}·${sample.sample}</a></td><td class="asked"><a href="${link}" tabindex="-1">${group.question}</a></td><td>${status && html`<span class="tag ${grade}">${status}</span>`}</td><td>${tools.join(", ")}${misuse && html` <span class="tag bad">misuse</span>`}</td><td class="n">${outcomeMark(sample)} ${number(outcome)}</td><td class="n">${penalty === 0 ? "" : number(penalty)}</td><td class="n">${number(advantage)}</td><td class="n">${tokens}</td></tr>`;
}

/** @param filter of the table that it was reached from: its next and previous one are those of the table */
export function episodeAddress(
  run: string,
  step: number,
  group: number,
  sample: number,
  filter: EpisodeFilter = {},
  chosen: readonly string[] = [],
): string {
  const from = new URLSearchParams(address("", filterQuery(filter, chosen)).slice(1)).toString();
  return address("/episode", { run, step, group, sample, list: from });
}

/** A sign besides the color. */
export function outcomeMark(sample: Parameters<typeof outcomeOf>[0]): Markup {
  const outcome = outcomeOf(sample);
  const [sign, grade] = { right: ["✓", "good"], wrong: ["✕", "bad"], between: ["~", ""], none: ["–", ""] }[outcome] as [
    string,
    string,
  ];
  return html`<span class="mark ${grade}" title="${outcome}">${sign}</span>`;
}

function number(value: number | null): string {
  return value === null ? "" : formatNumber(value);
}
