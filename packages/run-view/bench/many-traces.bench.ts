/**
 * A run with 50,016 traces in the viewer: a real step of the nano student (12 groups of 8 responses), written 521 times under other numbers.
 * Opened for the first time, when the index is built, and again. Each filter, each order and a search are asked for ROUNDS (5)
 * times: medians.
 * Prints `{ name, rows: [{ case, unit, ours, correct }] }`; `correct`: the pages name the counts that reading the step itself gives.
 */
import { cpSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { ImageRef, Trace } from "@iapo/rollout-trace";
import { listSteps, readStep, writeStep } from "@iapo/rollout-trace/files";
import { ended, iapo, startViewer } from "./program.ts";

const ROUNDS = Number(process.env.ROUNDS ?? 5);
const copies = 521;

const folder = mkdtempSync(join(tmpdir(), "iapo-many-traces-"));

type Row = { readonly case: string; readonly unit: string; readonly ours: number; readonly correct: boolean };

try {
  const traces = await makeRun();
  const all = traces.length * copies;
  const right = traces.filter(({ rewards }) => (rewards.outcome ?? 0) >= 1).length * copies;
  const misused = traces.filter(({ rewards }) => rewards.tool_misuse === 1).length * copies;
  const word = traces[0]?.turns[0]?.text.toLowerCase().match(/[a-z_]{5,}/)?.[0] ?? "";
  const rows: Row[] = [];
  for (const look of ["first look, which builds the index", "a later look"]) {
    const viewer = await openViewer();
    const start = performance.now();
    while (!(await timed(viewer.url, "/episodes", all)).correct) await sleep(20); // a browser is told, and asks again
    rows.push(row(`${look}: server's address to all episodes`, "s", (performance.now() - start) / 1000, true));
    if (look === "a later look") rows.push(...(await filters(viewer.url)));
    rows.push(row(`${look}: memory at most`, "MB", viewer.peakBytes() / 1e6, true));
    await viewer.close();
  }
  console.log(JSON.stringify({ name: "many-traces", rows }));

  async function filters(url: string): Promise<Row[]> {
    const asked = [
      ["outcome=right", right],
      ["misuse=yes", misused],
      [`from=${copies - 10}`, 10 * traces.length],
      [`text=${word}`, undefined],
      ...["oldest", "advantage", "outcome", "tokens"].map((order) => [`order=${order}`, all] as const),
    ] as const;
    const measured: Row[] = [];
    for (const [query, count] of asked) {
      const times: number[] = [];
      let correct = true;
      for (let round = 0; round < ROUNDS; round++) {
        const one = await timed(url, `/episodes?${query}`, count);
        times.push(one.milliseconds);
        correct &&= one.correct;
      }
      measured.push(
        row(`filter ${query}`, "ms", times.sort((a, b) => a - b)[times.length >> 1] ?? Number.NaN, correct),
      );
    }
    return measured;
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}

function row(name: string, unit: string, ours: number, correct: boolean): Row {
  return { case: name, unit, ours: Number(ours.toFixed(3)), correct };
}

/** The traces of the step that is repeated. */
async function makeRun(): Promise<readonly Trace<ImageRef>[]> {
  const made = join(folder, "made");
  await ended(iapo(["train", "nano-grpo", "--set", "grpo.evaluate=", "--set", "grpo.steps=1", "--out", made]));
  const run = join(folder, "shown", "run");
  cpSync(made, run, { recursive: true });
  rmSync(join(run, "steps"), { recursive: true });
  const [file] = await listSteps(join(made, "steps"));
  if (!file) throw new Error("the training wrote no step");
  const { traces, log } = await readStep(file.path);
  for (let step = 0; step < copies; step++)
    await writeStep(join(run, "steps"), { step, traces: traces.map((trace) => ({ ...trace, step })), log });
  return traces;
}

/** `correct` where the page names the count of episodes. */
async function timed(url: string, path: string, count: number | undefined) {
  const start = performance.now();
  const response = await fetch(new URL(path, url));
  const text = await response.text();
  const milliseconds = performance.now() - start;
  const found = /<b id="count">(\d+)</.exec(text)?.[1];
  return {
    milliseconds,
    correct: response.ok && found !== undefined && (count === undefined || Number(found) === count),
  };
}

async function openViewer() {
  const { child, url, end } = await startViewer(join(folder, "shown"));
  return {
    url,
    peakBytes: () => 1024 * Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${child.pid}/status`, "utf8"))?.[1]),
    async close() {
      child.kill("SIGINT");
      await end;
    },
  };
}
