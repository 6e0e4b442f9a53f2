// On-policy distillation from YAML: every form trains, replays without a GPU, and is planned; what makes no sense is refused.
import { cpSync, readFileSync, writeFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { baseDirectory } from "@iapo/nano-vl";
import type { Step } from "@iapo/rollout-trace";
import { readStep, writeStep } from "@iapo/rollout-trace/files";
import { type Device, openDevice } from "@iapo/tensor-core";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { stringify } from "yaml";
import { loadConfig, openJob, planJob, replayRun, runJob } from "../src/index.ts";
import { temporaryFolder } from "./support/folder.ts";

vi.setConfig({ testTimeout: 180_000 });

let device: Device;
beforeAll(async () => {
  device = await openDevice();
});
afterAll(() => device.close());

const small = ["grpo.steps=2", "grpo.groups=2", "grpo.rollout.samples=4", "grpo.evaluate=", "grpo.checkpoint.every=2"];

const forms: Readonly<Record<string, readonly string[]>> = {
  "nano-opd": [],
  "nano-opd-token": ["distillation.tolerance=0.01"],
  "nano-gkd": ["distillation.direction=forward"],
  "nano-gkd, top 8, in turns": ["distillation.topK=8", "teacher.residence=turns", "grpo.update.microBatchTokens=900"],
};

describe.each(Object.entries(forms))("%s", (name, more) => {
  const set = [...small, ...more];
  const [recipe = ""] = name.split(",");

  test("trains; the step's file holds what a replay without a GPU computes from; an altered number is found", async () => {
    const directory = join(temporaryFolder(), "run");
    expect((await runJob(openJob(recipe, { set, directory }), { device })).done).toBe(true);
    expect(await replayRun(directory)).toMatchObject({ steps: 2, samples: 16 });
    const { log, traces } = await readStep(join(directory, "steps/step-000000.jsonl"));
    const metrics = Object.keys(log.metrics).filter((key) => key.startsWith("distillation/"));
    const tokens = traces.map(({ turns }) => turns.map(({ logProbs }) => logProbs.length));
    if (recipe === "nano-opd") {
      const { cap } = loadConfig("nano-opd").config.distillation as { cap: number };
      expect(log.samples.every(({ penalty, evidence }) => penalty === 0.5 * (evidence?.divergence?.[0] ?? 0))).toBe(
        true,
      );
      const costs = log.samples.map(({ evidence }) => evidence?.divergence?.[0] ?? Number.NaN);
      log.samples.forEach(({ evidence }, i) => {
        expect(costs[i]).toBe(evidence?.call_log_prob ? Math.min(cap, -(evidence.call_log_prob[0] ?? 0)) : cap);
      });
      expect(metrics).toContain("distillation/penalty/mean");
    } else if (recipe === "nano-opd-token") {
      log.samples.forEach(({ advantages }, i) => {
        expect(advantages.map((turn) => (turn as readonly number[]).length)).toEqual(tokens[i]);
      });
      expect(log.samples.some(({ advantages }) => new Set(advantages[0] as readonly number[]).size > 5)).toBe(true);
      expect(metrics).toEqual(["distillation/teacher_log_prob", "distillation/k1"]);
    } else {
      const [update] = log.updates;
      expect(update?.samples.every(({ logProbs, divergences }) => divergences?.length === logProbs.length)).toBe(true);
      expect(log.metrics["distillation/kl"]).toBeGreaterThan(0.01);
    }
    const step = await readStep(join(directory, "steps/step-000001.jsonl"));
    await rm(join(directory, "steps/step-000001.jsonl"));
    await writeStep(join(directory, "steps"), { ...step, log: altered(step.log) });
    await expect(replayRun(directory)).rejects.toMatchObject({ code: "differs" });
  });

  test("a plan has the teacher's share", async () => {
    const { phases, bytesByPart } = await planJob(openJob(recipe, { set }), { device, memory: 2 ** 40 });
    const alone = await planJob(openJob("nano-grpo", { set: small }), { device, memory: 2 ** 40 });
    const flops = (plan: Pick<typeof alone, "phases">): number =>
      plan.phases.reduce((sum, phase) => sum + phase.flops, 0);
    expect(flops({ phases })).toBeGreaterThan(1.1 * flops(alone));
    if (!more.includes("teacher.residence=turns"))
      expect(bytesByPart.weights).toBeGreaterThan(1.5 * (alone.bytesByPart.weights ?? 0));
  });
});

/** What the teacher said of the last sample with something said of it, changed by a little. */
function altered(log: Step["log"]): Step["log"] {
  const nudged = (values: readonly number[]) => values.map((value) => value - 0.01);
  const samples = log.samples.map((sample) => ({
    ...sample,
    evidence:
      sample.evidence &&
      Object.fromEntries(
        Object.entries(sample.evidence).map(([name, values]) =>
          /log_prob/.test(name) ? [name, nudged(values)] : [name, values],
        ),
      ),
  }));
  const updates = log.updates.map((update) => ({
    ...update,
    samples: update.samples.map(({ divergences, ...sample }) => ({
      ...sample,
      ...(divergences && { divergences: divergences.map((value) => value + 0.01) }),
    })),
  }));
  return { ...log, samples, updates };
}

test.skipIf(process.env.IAPO_FULL !== "1")(
  "the direction, the ids and the residence of a teacher change what they say and nothing else",
  async () => {
    const lossOf = async (more: readonly string[]) => {
      const directory = join(temporaryFolder(), "run");
      await runJob(openJob("nano-gkd", { set: [...small, "grpo.steps=1", ...more], directory }), { device });
      const { log } = await readStep(join(directory, "steps/step-000000.jsonl"));
      const weights = readFileSync(join(directory, "checkpoints/step-000001/parameters.safetensors"));
      return { kl: log.metrics["distillation/kl"] ?? Number.NaN, weights };
    };
    const whole = await lossOf([]);
    const top = await lossOf(["distillation.topK=16"]);
    expect(top.kl).toBeLessThanOrEqual(whole.kl * 1.001);
    expect(top.kl).toBeGreaterThan(0.8 * whole.kl);
    const inTurns = await lossOf(["distillation.topK=16", "teacher.residence=turns"]);
    expect(inTurns.weights.equals(top.weights)).toBe(true);
  },
);

test.each([
  [["teacher="], /distillation: needs the section teacher/],
  [["iapo.preset=paper"], /distillation: stands in place of iapo/],
  [["baseline.kind=torl"], /distillation: stands in place of baseline/],
  [["distillation.noCall=49"], /distillation.noCall: is 49, below the cap of 50: no call would be the cheapest/],
  [["grpo.functions.penalty=./p.ts"], /grpo.functions.penalty: distillation by sequence has its own/],
  [["grpo.functions.advantage=./p.ts"], /grpo.functions.advantage: distillation by sequence has its own/],
  [["distillation.topK=3"], /unknown key "topK" in distillation/], // a KL over candidates has no gradient as a reward
  [["distillation.kind=loss", "teacher.residence=turns"], /teacher.residence: turns: the whole vocabulary/],
  [["distillation.kind=token", "grpo.functions.reward=./r.ts"], /distillation.mix: is 1, .*but grpo has reward/],
  [
    ["distillation.kind=loss", "grpo.dynamicSampling.tries=2"],
    /distillation.mix: is 1, .*but grpo has dynamicSampling/,
  ],
  [["distillation.kind=token", "distillation.estimator=k3"], /unknown key "estimator"/], // it is biased as a reward
  [["distillation.kind=loss", "distillation.topK=65"], /distillation.topK: .*64/],
  [["distillation.kind=loss", "distillation.mix=0"], /distillation.mix: /],
])("refused: %o", (set, message) => {
  const all = set.some((one) => one.startsWith("grpo.functions")) ? [...set, "distillation.cap=50"] : set;
  const file = join(temporaryFolder(), "run.yaml");
  const modules = { "p.ts": "export default () => [];", "r.ts": "export default () => 0;" };
  for (const [name, text] of Object.entries(modules)) writeFileSync(join(file, "..", name), text);
  writeFileSync(file, stringify({ extends: "nano-opd" }));
  const absolute = all.map((one) => one.replace("./", `${join(file, "..")}/`));
  expect(() => loadConfig(file, absolute)).toThrow(message);
});

test("a teacher with another tokenizer is refused before the first step", async () => {
  const folder = temporaryFolder();
  cpSync(baseDirectory, folder, { recursive: true });
  const file = join(folder, "tokenizer.json");
  const tokenizer = JSON.parse(readFileSync(file, "utf8")) as { model: { vocab: Record<string, number> } };
  const [[one], [two]] = Object.entries(tokenizer.model.vocab).slice(40, 42) as [[string, number], [string, number]];
  const { vocab } = tokenizer.model;
  [vocab[one], vocab[two]] = [vocab[two] ?? 0, vocab[one] ?? 0];
  writeFileSync(file, JSON.stringify(tokenizer));
  const set = [...small, `teacher.directory=${folder}`, "teacher.initialize=1"];
  const directory = join(temporaryFolder(), "run");
  await expect(runJob(openJob("nano-opd-token", { set, directory }), { device })).rejects.toThrow(
    /token \d+ is .* to the model and .* to the teacher/,
  );
});
