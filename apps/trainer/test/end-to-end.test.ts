// The main job through the real binary, each command a process of its own: train with IAPO, be killed, go on, replay, report, export, evaluate; on the
// shipped nano models, with nano-charts and with four real pictures.
import { cpSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { readStep } from "@iapo/rollout-trace/files";
import { storedVisualContent } from "@iapo/vqa-tasks";
import { beforeAll, expect, test, vi } from "vitest";
import { fingerprint } from "./support/fingerprint.ts";
import { type Ended, sharedFolder, start } from "./support/iapo.ts";

vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 });

const folder = sharedFolder();
const [whole, killed] = [join(folder, "whole"), join(folder, "killed")];
const sets = ["groups=2", "rollout.samples=4", "checkpoint.every=1", "evaluate="];
const settings = sets.flatMap((setting) => ["--set", `grpo.${setting}`]);
const train = ["train", "nano-iapo-occlusion", ...settings, "--set", "grpo.steps=2", "--out"];

beforeAll(async () => {
  await done([...train, whole]);
});

test("killed after the first of two steps and resumed, checkpoints, steps and images are those of a whole run", async () => {
  const { child, ended } = start([...train, killed, "--json"]);
  child.stdout!.on("data", (chunk) => {
    if (/"phase":"\w+","step":1/.test(String(chunk))) child.kill("SIGKILL");
  });
  expect((await ended).signal).toBe("SIGKILL");
  expect(Object.keys(fingerprint(killed)).join()).not.toContain("step-000001.jsonl");
  expect((await done(["train", "--resume", killed])).out).toMatch(/^2 of 2 steps in /);
  const files = Object.keys(fingerprint(whole)).join();
  expect(files).toMatch(/checkpoints\/step-000002\/.*images\/.*steps\/step-000000\.jsonl,steps\/step-000001\.jsonl$/);
  expect(fingerprint(killed)).toEqual(fingerprint(whole));
});

test("both steps replay from their traces, and a flipped byte is named", async () => {
  const { out } = await done(["replay", whole]);
  expect(out).toMatch(/^2 steps replay: rewards, penalties, advantages of 16 samples, losses of 2 updates$/m);
  const damaged = join(folder, "damaged");
  cpSync(whole, damaged, { recursive: true });
  const file = join(damaged, "steps/step-000001.jsonl");
  const bytes = readFileSync(file);
  bytes[bytes.length >> 1]! ^= 1;
  writeFileSync(file, bytes);
  const { code, err } = await start(["replay", damaged]).ended;
  expect(code).toBe(1);
  expect(err).toMatch(/step 0: 8 samples[\s\S]*iapo: .*step-000001\.jsonl, line \d+: .*\(corrupt\)/);
  expect(err).not.toMatch(/^ +at .*\.[tj]s:/m);
});

test("report writes the run's page, export a model, and eval measures it", async () => {
  await done(["report", whole]);
  expect(readFileSync(join(whole, "report.html"), "utf8")).toMatch(/^<!doctype html>[\s\S]*<\/html>\s*$/i);
  const model = join(folder, "model");
  expect((await done(["export", whole, "--out", model])).out).toMatch(/[1-9]\d* rows of logits equal to the bit/);
  const { out } = await done(["eval", model, "--limit", "8", "--max-tokens", "48", "--out", join(folder, "eval")]);
  expect(out).toMatch(/^nano: 8 responses to 8 tasks/);
});

test("a teacher of another family renders the prompt itself: a step beside it, with its penalties, replays", async () => {
  const run = join(folder, "other-family");
  const others = ["teacher.directory=nano-base-qwen3-vl", "teacher.initialize=1", "grpo.steps=1"];
  const sets = [...settings, ...others.flatMap((one) => ["--set", one])];
  await done(["train", "nano-anchored-teacher-qwen3-vl", ...sets, "--out", run]);
  const { log } = await readStep(join(run, "steps/step-000000.jsonl"));
  expect(log.metrics["iapo/penalty/max"]).toBeGreaterThan(0);
  expect((await done(["replay", run])).out).toMatch(/^1 steps replay: rewards, penalties, advantages of 8 samples/m);
});

test("on two real charts and two real tables: converted, trained on, replayed to the processor's own tokens, reported", async () => {
  const real = join(import.meta.dirname, "fixtures/real");
  const data = join(folder, "data");
  const charts = ["refocus-vega", "--format", "refocus"];
  const tables = ["wtq", "--format", "wikitablequestions"];
  for (const [name, ...format] of [charts, tables])
    await done(["data", "convert", join(real, name!), ...format, "--out", join(data, name!)]);
  // Together one set: the first question of each picture.
  for (const name of ["refocus-vega", "wtq"])
    cpSync(join(data, name, "images"), join(data, "images"), { recursive: true });
  const rows = ["refocus-vega", "wtq"].flatMap((name) => {
    const lines = readFileSync(join(data, name, "tasks.jsonl"), "utf8")
      .trimEnd()
      .split("\n");
    return [lines[0]!, lines[2]!];
  });
  writeFileSync(join(data, "four.jsonl"), rows.map((row) => `${row}\n`).join(""));
  const config = join(folder, "real.yaml");
  writeFileSync(
    config,
    `extends: nano-iapo-occlusion
data: { nanoCharts: , files: { format: tasks, path: data/four.jsonl, images: data } }
grpo: { steps: 1, groups: 4, rollout: { samples: 4 }, evaluate: }
`,
  );
  const run = join(folder, "real");
  await done(["train", config, "--out", run]);
  const { traces } = await readStep(join(run, "steps/step-000000.jsonl"));
  expect(traces.length).toBe(16);
  const pictures = new Set(traces.map(({ task }) => storedVisualContent(task).image.id));
  expect(pictures.size).toBe(4);
  for (const id of pictures) expect(statSync(join(run, "images", `${id}.png`)).size).toBeGreaterThan(1000);
  const { out } = await done(["replay", run, "--model", "nano-student"]);
  expect(out).toMatch(/^1 steps replay: .* of 16 samples, losses of 1 updates$/m);
  expect(out).toMatch(/^16 traces hold what their tasks give/m);
  await done(["report", run]);
  expect(readdirSync(run)).toContain("report.html");
});

/** A command that succeeds. */
async function done(args: readonly string[]): Promise<Ended> {
  const ended = await start(args).ended;
  expect(ended.code, `iapo ${args.join(" ")}\n${ended.err}`).toBe(0);
  return ended;
}
