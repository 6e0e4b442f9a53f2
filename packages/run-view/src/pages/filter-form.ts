// The filter of episodes: read from an address, and shown as a form.
import { html, type Markup } from "@iapo/rollout-trace/text";
import { z } from "zod";
import { type EpisodeFilter, orders, outcomes } from "../index/episode-filter.ts";
import type { ViewedRun } from "../runs/library.ts";
import type { Query } from "./address.ts";

const text = z.string().max(500).optional().catch(undefined);
const step = z.coerce.number().int().min(0).optional().catch(undefined);
const schema = z.object({
  from: step,
  to: step,
  task: text,
  outcome: z.enum(outcomes).optional().catch(undefined),
  status: text,
  tool: text,
  misuse: z.enum(["yes", "no"]).optional().catch(undefined),
  alarm: text,
  text,
  order: z.enum(orders).optional().catch(undefined),
});

/** What is empty or makes no sense is as if it were not there. */
export function readFilter(query: Readonly<Record<string, string>>): EpisodeFilter {
  return schema.parse(Object.fromEntries(Object.entries(query).filter(([, value]) => value !== "")));
}

export function filterQuery(filter: EpisodeFilter, run: readonly string[]): Query {
  return { ...filter, run };
}

/** Choices are what the runs have. */
export function filterForm(all: readonly ViewedRun[], runs: readonly ViewedRun[], filter: EpisodeFilter): Markup {
  const samples = new Set<string>();
  const tools = new Set<string>();
  const alarms = new Set<string>();
  for (const { index } of runs) {
    for (const name of index.columns.names) if (name.startsWith("alarm/")) alarms.add(name.slice("alarm/".length));
    for (const { groups } of index.steps)
      for (const group of groups)
        for (const { status, tools: called } of group.samples) {
          if (status !== "") samples.add(status);
          for (const name of called) if (tools.size < 100) tools.add(name);
        }
  }
  const select = (name: keyof EpisodeFilter, label: string, values: Iterable<string>, any = "all"): Markup =>
    html`<label>${label} <select name="${name}"><option value="">${any}</option>${[...values].map((value) => html`<option${filter[name] === value && html` selected`}>${value}</option>`)}</select></label>`;
  const number = (name: "from" | "to", label: string): Markup =>
    html`<label>${label} <input type="number" name="${name}" min="0" value="${filter[name] ?? ""}"></label>`;
  const chosen = new Set(runs.map(({ name }) => name));
  return html`<form id="filter" class="bar controls" method="get" action="/episodes">
<label>search <input type="search" name="text" value="${filter.text ?? ""}" placeholder="words of question, turns, reasons" autocomplete="off"></label>
${all.length > 1 && html`<label>run <select name="run"><option value="">all</option>${all.map(({ name }) => html`<option${chosen.size === 1 && chosen.has(name) && html` selected`}>${name}</option>`)}</select></label>`}
${number("from", "steps")}${number("to", "to")}
${select("outcome", "outcome", outcomes)}${select("status", "program", [...samples].sort())}${tools.size > 0 && select("tool", "tool", [...tools].sort())}
${select("misuse", "misuse", ["yes", "no"])}${alarms.size > 0 && select("alarm", "alarm", ["any", ...[...alarms].sort()], "any step")}
<label>task <input name="task" value="${filter.task ?? ""}" size="12" autocomplete="off"></label>
${select("order", "order", orders.slice(1), "newest")}<button type="submit">Filter</button></form>`;
}
