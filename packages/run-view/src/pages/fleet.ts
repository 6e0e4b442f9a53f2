// The workers of a run: what each is at, what they did, and what went to and fro in each step.
import { html, type Markup } from "@iapo/rollout-trace/text";
import { type FleetStep, formatNumber, readFleet, table, workTable } from "@iapo/run-report";
import type { ViewedRun } from "../runs/library.ts";
import { layout, live } from "./layout.ts";
import { runChoice } from "./run-choice.ts";

/** The newest first. */
const mostRows = 200;
const mostWorkers = 500;

export async function fleetPage(all: readonly ViewedRun[], run: ViewedRun | undefined): Promise<string> {
  return layout({
    title: run ? `Fleet of ${run.name}` : "Fleet",
    place: "fleet",
    chosen: run ? [run.name] : [],
    body: [runChoice(all, run), live("fleet", run && (await shown(run)))],
  });
}

async function shown(run: ViewedRun): Promise<Markup> {
  const { steps, now } = await readFleet(run.directory);
  if (steps.length === 0 && !now)
    return html`<p class="note">This run has had no workers. They come by <code>iapo train --fleet</code>.</p>`;
  const isAtWork = now && run.state.state === "training";
  const rows = (now?.workers ?? [])
    .slice(0, mostWorkers)
    .map(({ id, host, at, done, roles, error }) => [
      id,
      host,
      at ?? "waits",
      String(done),
      roles.join(", "),
      error ?? "",
    ]);
  const columns = ["Worker", "Host", "At", "Units done", "Roles", "Last error"];
  return html`${isAtWork && html`<h2>Now</h2>${rows.length > 0 ? table({ columns, rows }) : html`<p class="note">Nobody takes part at the moment: the run works alone.</p>`}`}
${steps.length > 0 && html`<h2>Who did what</h2>${table(workTable(steps))}<h2>By step</h2>${byStep(steps)}`}`;
}

function byStep(steps: readonly FleetStep[]): Markup {
  const rows = steps
    .slice(-mostRows)
    .reverse()
    .map(
      ({
        step,
        units,
        copies,
        redelivered,
        returned,
        messages,
        bytesSent,
        bytesReceived,
        milliseconds,
        waited,
        workers,
      }) => [
        ...[step, Object.keys(workers).length, units, copies, redelivered, returned, messages].map(String),
        ...[bytesSent, bytesReceived].map((bytes) => formatNumber(bytes / 1e6)),
        milliseconds ? `${((100 * (waited ?? 0)) / milliseconds).toFixed(0)} %` : "",
      ],
    );
  const columns = [
    ...["Step", "Workers", "Units", "Twice", "Again", "Came back", "Messages"],
    ...["MB sent", "MB received", "Units out, of the time"],
  ];
  return html`${table({ columns, rows })}${steps.length > mostRows && html`<p class="note">The last ${mostRows} of ${steps.length}.</p>`}`;
}
