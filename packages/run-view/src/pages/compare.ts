// Two runs on the same tasks, episode by episode.

import { html, type Markup } from "@iapo/rollout-trace/text";
import { formatNumber } from "@iapo/run-report";
import { type ComparedTask, compareTasks, isRight, type TaskSide } from "../index/compare-tasks.ts";
import type { ViewedRun } from "../runs/library.ts";
import { address } from "./address.ts";
import { episodeAddress, outcomeMark } from "./episodes.ts";
import { layout, live } from "./layout.ts";

export const comparisons = ["first", "second", "both", "neither", "all"] as const;
export type Comparison = (typeof comparisons)[number];

const mostRows = 200;

export function comparePage(all: readonly ViewedRun[], chosen: readonly ViewedRun[], shown: Comparison): string {
  const [one, other] = [chosen[0] ?? all[0], chosen[1] ?? all[1]];
  const select = (run: ViewedRun | undefined, label: string): Markup =>
    html`<label>${label} <select name="run">${all.map(({ name }) => html`<option${name === run?.name && html` selected`}>${name}</option>`)}</select></label>`;
  const labels: Readonly<Record<Comparison, string>> = {
    first: "first right, second wrong",
    second: "second right, first wrong",
    both: "both right",
    neither: "both wrong",
    all: "all",
  };
  return layout({
    title: "Compare",
    place: "compare",
    chosen: chosen.map(({ name }) => name),
    body: [
      html`<form method="get" class="bar" data-submit>${select(one, "first")}${select(other, "second")}<label>show <select name="show">${comparisons.map((value) => html`<option value="${value}"${value === shown && html` selected`}>${labels[value]}</option>`)}</select></label><button type="submit">Compare</button></form>`,
      one && other
        ? live("compared", compared(one, other, shown))
        : html`<p class="note">There are no two runs to compare.</p>`,
    ],
  });
}

function compared(one: ViewedRun, other: ViewedRun, shown: Comparison): Markup {
  const tasks = compareTasks(one, other);
  const of = (first: boolean, second: boolean): ComparedTask[] =>
    tasks.filter(({ sides: [a, b] }) => isRight(a) === first && isRight(b) === second);
  const cells = {
    both: of(true, true),
    first: of(true, false),
    second: of(false, true),
    neither: of(false, false),
    all: tasks,
  };
  const link = (which: Comparison): Markup =>
    html`<td><a href="${address("/compare", { run: [one.name, other.name], show: which })}">${cells[which].length}</a></td>`;
  const wanted = cells[shown];
  return html`${tasks.length === 0 && html`<p>The two have no task in common. Runs with the same data and seed have, and evaluations of one set.</p>`}<p class="note">${tasks.length} tasks that both have; of each, the last group. A task is right where more than half of its outcome reward is earned.</p>
<div class="table" tabindex="0"><table class="matrix"><thead><tr><th scope="col"></th><th scope="col">${other.name} right</th><th scope="col">wrong</th></tr></thead><tbody><tr><th scope="row">${one.name} right</th>${link("both")}${link("first")}</tr><tr><th scope="row">wrong</th>${link("second")}${link("neither")}</tr></tbody></table></div>
<div class="table" tabindex="0"><table class="list"><thead><tr><th scope="col">task</th><th scope="col">question</th><th scope="col">${one.name}</th><th scope="col">${other.name}</th></tr></thead><tbody>${wanted
    .slice(0, mostRows)
    .map(
      ({ task, question, sides: [a, b] }) =>
        html`<tr><td>${task}</td><td class="asked">${question}</td>${side(one, a)}${side(other, b)}</tr>`,
    )}</tbody></table></div>${wanted.length > mostRows && html`<p class="note">The first ${mostRows} of ${wanted.length}.</p>`}`;
}

function side({ name }: ViewedRun, { step, group, outcome }: TaskSide): Markup {
  return html`<td class="signs">${formatNumber(outcome)} ${group.samples.map(
    (sample) =>
      html`<a href="${episodeAddress(name, step.step, group.group, sample.sample)}" title="step ${step.step}, sample ${sample.sample}">${outcomeMark(sample)}</a>`,
  )}</td>`;
}
