// iapo demo from end to end on the shipped models: its table and page, the same bytes after an interrupt, real charts and tables, refusals.
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { readRun } from "@iapo/rollout-trace/files";
import { expect, test, vi } from "vitest";
import { runCli } from "../src/cli.ts";
import { whatGrpoSees } from "../src/demo/regime.ts";
import { fingerprint } from "./support/fingerprint.ts";
import { expectRefusal, iapo, sharedFolder, temporaryFolder } from "./support/iapo.ts";

vi.setConfig({ testTimeout: 300_000 });

const real = join(import.meta.dirname, "fixtures/real");
const folder = sharedFolder();
const whole = join(folder, "whole");
const charts = ["demo", "--steps", "1", "--charts", "16"];

interface Result {
  readonly columns: readonly {
    readonly title: string;
    readonly measured: { readonly metrics: Readonly<Record<string, { readonly value: number | null }>> };
  }[];
}

test("measures, trains, measures again: a table beside teacher and plain GRPO, a page, a model", async () => {
  const { code, out, err } = await iapo([...charts, "--regime", "strict", "--out", whole]);
  expect(code, err).toBe(0);
  const { columns } = resultOf(whole);
  const grpo: Result = JSON.parse(readFileSync(join(import.meta.dirname, "../assets/demo-grpo-strict.json"), "utf8"));
  expect(grpo.columns.map(({ title }) => title)).toEqual(["GRPO, 20 steps", "GRPO, 44 steps"]);
  expect(columns.map(({ title }) => title)).toEqual([
    ...["before", "after", "teacher"],
    ...grpo.columns.map(({ title }) => title),
  ]);
  for (const { title, measured } of columns.slice(0, 3)) {
    const rewards: Readonly<Record<string, number>>[] = [];
    for await (const trace of readRun(join(whole, title))) rewards.push(trace.rewards);
    expect(rewards.length).toBe(16);
    const rate = (part: string): number => rewards.reduce((sum, of) => sum + (of[part] ?? 0), 0) / 16;
    expect(measured.metrics["reward/outcome"]?.value).toBeCloseTo(rate("outcome"), 12);
    expect(measured.metrics.tool_call_ratio?.value).toBeCloseTo(rate("tool_call"), 12);
    expect(measured.metrics["reward/tool_misuse"]?.value).toBeCloseTo(rate("tool_misuse"), 12);
  }
  expect(out).toMatch(/^ +before +after +teacher /m);
  expect(out).toContain(whatGrpoSees.strict);
  for (const rate of ["accuracy", "tool-call ratio", "call success", "misuse", "right names", "image changed"])
    expect(out).toMatch(
      new RegExp(`^${rate} +(\\d\\.\\d{3} \\[\\d\\.\\d{3}, \\d\\.\\d{3}\\] *|- *){${columns.length}}$`, "m"),
    );
  expect(readFileSync(join(whole, "report.html"), "utf8")).toMatch(/^<!doctype html>[\s\S]*<\/html>\s*$/i);
  expect(readdirSync(join(whole, "model"))).toEqual(expect.arrayContaining(["config.json", "model.safetensors"]));
});

test("by default the regime is blind: a call of the wrong axis paints the same pixels, in training and on held-out charts, and it says what GRPO cannot see", async () => {
  const directory = join(folder, "blind");
  const { code, out, err } = await iapo([...charts, "--out", directory]);
  expect(code, err).toBe(0);
  expect(out).toContain(whatGrpoSees.blind);
  for (const run of ["before", "run/steps"]) {
    let wrong = 0;
    for await (const { rewards, toolOutcomes } of readRun(join(directory, run))) {
      if (rewards.tool_misuse !== 1 || rewards.tool_names !== 1 || toolOutcomes[0]?.status !== "ok") continue;
      wrong++;
      expect(rewards.tool_changed).toBe(1);
    }
    expect(wrong, run).toBeGreaterThan(0);
  }
  const { columns } = resultOf(directory);
  const grpo: Result = JSON.parse(readFileSync(join(import.meta.dirname, "../assets/demo-grpo-blind.json"), "utf8"));
  expect(columns.slice(3)).toEqual(grpo.columns);
  expect(columns.map(({ title }) => title)).toEqual([
    ...["before", "after", "teacher"],
    ...["GRPO, 30 steps", "GRPO, 44 steps"],
  ]);
  expect(resultOf(directory)).toMatchObject({ options: { regime: "blind", recipe: "nano-iapo-anchored" } });
});

test.runIf(process.env.IAPO_FULL)(
  "interrupted after the first measurement and continued, it is the same to the byte",
  async () => {
    const out = join(folder, "twice");
    const stop = new AbortController();
    const notes: string[] = [];
    const note = (text: string): void => {
      notes.push(text);
      if (text.includes("before: 16 of 16")) stop.abort();
    };
    const code = await runCli([...charts, "--regime", "strict", "--out", out], {
      out: () => {},
      note,
      signal: stop.signal,
    });
    expect(code, notes.join("\n")).toBe(130);
    expect(notes.at(-1)).toMatch(`interrupted; the same command with --out ${out} goes on where it stopped`);
    expect(existsSync(join(out, "run"))).toBe(false);
    const traces = readFileSync(join(out, "before/step-000000.jsonl"));
    await expectRefusal(
      [...charts, "--regime", "strict", "--seed", "2", "--out", out],
      1,
      /a demo of another seed.*another --out \(settings\)/,
    );

    expect((await iapo([...charts, "--regime", "strict", "--out", out])).code).toBe(0);
    expect(readFileSync(join(out, "before/step-000000.jsonl"))).toEqual(traces);
    expect(fingerprint(join(out, "run"))).toEqual(fingerprint(join(whole, "run")));
    expect(Object.keys(fingerprint(join(out, "run"))).join()).toMatch(/checkpoints\/step-000001\/.*steps\/step-000000/);
    expect(resultOf(out).columns).toEqual(resultOf(whole).columns);
  },
);

test.runIf(process.env.IAPO_FULL)(
  "on real charts and tables: half to train on, half held out, and a word about the nano student",
  async () => {
    const directory = join(folder, "real");
    const recipe = join(folder, "small.yaml");
    writeFileSync(recipe, "extends: nano-iapo-occlusion\ngrpo: { groups: 2, rollout: { samples: 4 } }\n");
    const { code, out, err } = await iapo([
      "demo",
      "--steps",
      "1",
      "--recipe",
      recipe,
      "--real",
      real,
      "--out",
      directory,
    ]);
    expect(code, err).toBe(0);
    expect(err).toMatch(/refocus-vega: 4 tasks\n.*wtq: 4 tasks/);
    expect(out).toMatch(/its answers to these are poor[\s\S]*Rates of 4 held-out real charts and tables/);
    expect(resultOf(directory).columns.map(({ title }) => title)).toEqual(["before", "after", "teacher"]);
    const sources = new Set<string>();
    for await (const { task } of readRun(join(directory, "before"))) sources.add(task.source);
    expect([...sources]).toEqual(["chart_v_bar", "chart_h_bar", "wikitablequestions-rendered"]);
  },
);

test("refusals: one screen, and nothing is measured", async () => {
  const empty = temporaryFolder();
  const out = ["--out", join(empty, "out")];
  await expectRefusal(
    ["demo", "--real", empty, ...out],
    1,
    /holds no tasks that can be read, in folders named refocus, chartqa, .*\(missing\)/,
  );
  mkdirSync(join(empty, "data/wtq"), { recursive: true });
  writeFileSync(join(empty, "data/wtq/questions.jsonl"), '{"id":"nt-1"}\n');
  await expectRefusal(
    ["demo", "--real", join(empty, "data"), ...out],
    1,
    /holds no tasks.*\(missing\)\n.*wtq: .*row [01]: /,
  );
  await expectRefusal(["demo", "--real", join(empty, "none"), ...out], 1, /none cannot be read: ENOENT.*\(missing\)/);
  await expectRefusal(["demo", "--student", empty, ...out], 2, /is not a model directory: it holds no config\.json/);
  await expectRefusal(["demo", "--student", join(empty, "none"), ...out], 2, /there is no such model directory/);
  await expectRefusal(["demo", "--regime", "half", ...out], 2, /Allowed choices are strict, blind/);
  await expectRefusal(["demo", "--recipe", "nano-grop", ...out], 2, /did you mean the recipe nano-grpo\?/);
  expect(existsSync(join(empty, "out"))).toBe(false);
});

function resultOf(directory: string): Result {
  return JSON.parse(readFileSync(join(directory, "result.json"), "utf8"));
}
