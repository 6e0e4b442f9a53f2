// Which run a page is of.
import { html, type Part } from "@iapo/rollout-trace/text";
import type { ViewedRun } from "../runs/library.ts";

/** Nothing where there is no choice. */
export function runChoice(all: readonly ViewedRun[], run: ViewedRun | undefined): Part {
  const names = all.map(({ name }) => name);
  return (
    all.length > 1 &&
    html`<form method="get" class="bar" data-submit><label>run <select name="run">${names.map((name) => html`<option${name === run?.name && html` selected`}>${name}</option>`)}</select></label><button type="submit">Show</button></form>`
  );
}
