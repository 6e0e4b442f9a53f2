// One step: its parts in time, what was packed, advantages and ratios, its numbers, and its replay.
import { createReadStream } from "node:fs";
import type { FailedEpisode } from "@iapo/rollout-trace";
import { readEntries } from "@iapo/rollout-trace/files";
import { html, type Markup } from "@iapo/rollout-trace/text";
import { alarmTable, formatNumber, raisedAlarms, table } from "@iapo/run-report";
import type { IndexedStep } from "../index/run-index.ts";
import type { GroupEntry } from "../index/step-entry.ts";
import type { ViewedRun } from "../runs/library.ts";
import { address } from "./address.ts";
import { episodeAddress, outcomeMark } from "./episodes.ts";
import { histogram, type PackedGroup, type PackedUpdate, packing, timeline } from "./figures.ts";
import { layout, live } from "./layout.ts";

interface StepFacts {
  readonly failures: readonly FailedEpisode[];
  readonly updates: readonly PackedUpdate[];
  readonly ratios: readonly number[];
}

export async function stepPage(run: ViewedRun, step: IndexedStep, canReplay: boolean): Promise<string> {
  const { name, index } = run;
  const { steps } = index;
  const at = steps.indexOf(step);
  const metrics = index.columns.of(step.step);
  const { failures, updates, ratios } = await readFacts(step);
  const timings = index.timings(step.step);
  const advantages = step.groups.flatMap(({ samples }) => samples.flatMap(({ advantage }) => advantage ?? []));
  const link = (to: IndexedStep | undefined, text: string, rel: string): Markup | undefined =>
    to && html`<a class="button" rel="${rel}" href="${address("/step", { run: name, step: to.step })}">${text}</a>`;
  const numbers = Object.entries(metrics).filter(([metric]) => !metric.startsWith("alarm/"));
  const important = numbers.filter(([metric]) =>
    /^actor\/|^critic\/(?:advantages|penalty)|^memory\/|homogeneous/.test(metric),
  );
  const rows = (list: typeof numbers): string[][] =>
    list.map(([metric, value]) => [metric, value === null ? "not finite" : formatNumber(value)]);
  return layout({
    title: `Step ${step.step}`,
    place: "steps",
    chosen: [name],
    body: html`<p class="bar">${link(steps[at - 1], "← previous", "prev")}${link(steps[at + 1], "next →", "next")}<span class="note">${name} · ${step.isPublished ? "held by a checkpoint" : "not yet held by a checkpoint"} · <a href="${address("/episodes", { run: name, from: step.step, to: step.step })}">its episodes</a></span></p>
${step.damage !== undefined && html`<p class="alarm">${step.damage}</p>`}
${alarmTable({ name: `step ${step.step}`, alarms: raisedAlarms([{ step: step.step, metrics }]) })}
${live("time", timings && html`<h2>Time</h2>${timeline(timings)}`)}
<h2>Groups</h2>${groupGrid(run, step)}
${updates.length > 0 && html`<h2>Packing</h2>${packing(updates)}`}
<div class="columns">${advantages.length > 0 && html`<div><h2>Advantages</h2>${histogram({ title: "advantages of samples", values: advantages })}</div>`}${ratios.length > 0 && html`<div><h2>Ratios</h2>${histogram({ title: "ratio of each token", values: ratios })}<p class="note">Clipped: ${percent(metrics["actor/pg_clipfrac"])} above or below, ${percent(metrics["actor/pg_clipfrac_lower"])} by the dual bound.</p></div>`}</div>
${live("numbers", html`<div class="columns"><div><h2>Update and memory</h2>${table({ columns: ["metric", "value"], rows: rows(important) })}</div><details><summary>All ${numbers.length} metrics</summary>${table({ columns: ["metric", "value"], rows: rows(numbers) })}</details></div>`)}
${failures.length > 0 && html`<h2>Failed episodes</h2><div class="table" tabindex="0"><table class="texts"><tbody>${failures.map(({ group, sample, task, message }) => html`<tr><td>${group}·${sample}</td><td>${task}</td><td>${message.slice(0, 1000)}</td></tr>`)}</tbody></table></div>`}
${canReplay && html`<h2>Replay</h2><p class="note">Rewards, penalties, advantages and losses once more from the traces, without a GPU, beside what was logged.</p><form id="replay" method="post" action="${address("/replay", { run: name, step: step.step })}"><button type="submit">Replay this step</button></form><div id="replayed" role="status"></div>`}`,
  });
}

function percent(value: number | null | undefined): string {
  return value === null || value === undefined ? "unknown" : `${formatNumber(100 * value)} %`;
}

/** A row for each group: its question, its samples as signs that lead to them, its mean. */
function groupGrid({ name }: ViewedRun, { step, groups }: IndexedStep): Markup {
  const row = (group: GroupEntry): Markup => {
    const known = group.samples.flatMap(({ shaped }) => shaped ?? []);
    const mean = known.length > 0 ? known.reduce((sum, value) => sum + value, 0) / known.length : undefined;
    return html`<tr><td>${group.group}</td><td class="asked">${group.question}</td><td class="signs">${group.samples.map(
      (sample) =>
        html`<a href="${episodeAddress(name, step, group.group, sample.sample)}" title="sample ${sample.sample}: outcome ${sample.outcome ?? "none"}, advantage ${sample.advantage === null ? "none" : formatNumber(sample.advantage)}, ${sample.status}${sample.misuse ? ", misuse" : ""}">${outcomeMark(sample)}</a>`,
    )}</td><td class="n">${mean === undefined ? "" : formatNumber(mean)}</td></tr>`;
  };
  return html`<div class="table" tabindex="0"><table class="list"><thead><tr><th scope="col">group</th><th scope="col">question</th><th scope="col">samples</th><th scope="col" class="n">mean shaped reward</th></tr></thead><tbody>${groups.map(row)}</tbody></table></div>`;
}

/** From the step's file as far as it is whole. */
async function readFacts({ path }: IndexedStep): Promise<StepFacts> {
  const failures: FailedEpisode[] = [];
  const updates: PackedUpdate[] = [];
  const ratios: number[] = [];
  const lengths = new Map<
    string,
    { readonly prompt: number; readonly response: number; readonly before: Float32Array }
  >();
  try {
    for await (const entry of readEntries(createReadStream(path), path)) {
      if (entry.kind === "failures") for (const failure of entry.failures) failures.push(failure);
      if (entry.kind === "trace") {
        const { group, sample, turns } = entry.trace;
        const prompt = Math.max(0, turns[0]?.lossMask.indexOf(1) ?? 0);
        const all = turns.reduce((sum, { tokens }) => sum + tokens.length, 0);
        const before = Float32Array.from(turns.flatMap(({ logProbs }) => [...logProbs]));
        lengths.set(`${group} ${sample}`, { prompt, response: all - prompt, before });
      }
      if (entry.kind !== "update") continue;
      const groups = new Map<number, { prompt: number; responses: number[] }>();
      for (const { group, sample, logProbs, oldLogProbs } of entry.update.samples) {
        const { prompt = 0, response = logProbs.length, before } = lengths.get(`${group} ${sample}`) ?? {};
        const packed = groups.get(group) ?? { prompt, responses: [] };
        packed.responses.push(response);
        groups.set(group, packed);
        const old = oldLogProbs ?? before;
        if (old?.length === logProbs.length)
          for (const [i, value] of logProbs.entries()) ratios.push(Math.exp(value - (old[i] ?? value)));
      }
      updates.push({
        loss: entry.update.loss,
        skipped: entry.update.skipped === true,
        groups: [...groups].map(([group, one]): PackedGroup => ({ group, ...one })),
      });
    }
  } catch {
    return { failures, updates, ratios }; // the page says where the damage is
  }
  return { failures, updates, ratios };
}
