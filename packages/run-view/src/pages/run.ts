// One run: what it was made of, its time by part, its alarms, its settings.

import { html } from "@iapo/rollout-trace/text";
import { alarmTable, finalMetrics, formatNumber, runData, runDetails, table } from "@iapo/run-report";
import type { ViewedRun } from "../runs/library.ts";
import { address } from "./address.ts";
import { layout, live } from "./layout.ts";
import { alarmsOf, lastValue } from "./run-facts.ts";
import { stateTag } from "./runs.ts";

export async function runPage(run: ViewedRun): Promise<string> {
  const { name, directory, record, index } = run;
  const chosen = [name];
  const finals = finalMetrics.flatMap(({ metric, title }) => {
    const value = lastValue(run, metric);
    return value === undefined ? [] : [[title, formatNumber(value)]];
  });
  const damaged = index.steps.filter(({ damage }) => damage !== undefined);
  const alarms = alarmsOf(run);
  const details =
    record &&
    runDetails(
      await runData({ directory, name, file: record, steps: index.steps.map(({ step }) => ({ step, metrics: {} })) }),
    );
  return layout({
    title: name,
    place: "runs",
    chosen,
    body: [
      live(
        "state",
        html`<p>${stateTag(run)} ${index.steps.length} steps · <a href="${address("/curves", { run: chosen })}">curves</a> · <a href="${address("/episodes", { run: chosen })}">episodes</a> · <a href="${address("/steps", { run: name })}">steps</a></p>${run.problem && html`<p class="alarm">${run.problem}</p>`}`,
      ),
      live("raised", [
        alarmTable({ name, alarms }),
        damaged.length > 0 &&
          html`<h2 class="alarm">Damaged steps</h2>${damaged.map(({ step, damage }) => html`<p class="note"><a href="${address("/step", { run: name, step })}">step ${step}</a>: ${damage}</p>`)}`,
      ]),
      live(
        "finals",
        finals.length > 0 && html`<h2>Final metrics</h2>${table({ columns: ["metric", "value"], rows: finals })}`,
      ),
      live("details", details),
    ],
  });
}
