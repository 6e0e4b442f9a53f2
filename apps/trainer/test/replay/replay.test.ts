// iapo replay and iapo export on real runs of a nano model with random weights, whole, damaged and altered.
import { cpSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { replayRun, tokenTextsOf } from "@iapo/jobs";
import type { ReplayComparison } from "@iapo/rollout-trace";
import { readStep, writeStep } from "@iapo/rollout-trace/files";
import { openSafetensors } from "@iapo/tensor-core/safetensors";
import { storedVisualContent } from "@iapo/vqa-tasks";
import { beforeAll, expect, test } from "vitest";
import { expectRefusal, iapo, sharedFolder, temporaryFolder } from "../support/iapo.ts";

const folder = sharedFolder();
const [run, plain] = [join(folder, "run"), join(folder, "plain")];

beforeAll(async () => {
  const config = join(folder, "nano.yaml");
  writeFileSync(
    config,
    `model: { directory: nano-base, initialize: 3, dtype: f32, lora: { rank: 2, alpha: 4 } }
data: { nanoCharts: { seed: 1, names: words } }
environment: { prompt: compact }
grpo:
  seed: 1
  steps: 2
  groups: 2
  rollout: { samples: 3, maxTokens: 10 }
  optimizer: { learningRate: 1e-3 }
  checkpoint: { every: 1, keep: 2 }
`,
  );
  const reward = `grpo.functions.reward=${join(import.meta.dirname, "fixtures-reward.ts")}`;
  const made = await iapo(["train", config, "--set", reward, "--out", run]);
  expect(made.err + made.out, "the run").toMatch(/2 of 2 steps/);
  const full = await iapo(["train", config, "--set", "model.lora=", "--set", "grpo.steps=1", "--out", plain]);
  expect(full.code, full.err).toBe(0);
});

test("a run replays to what was logged, and its traces are what the model's processor makes of their tasks", async () => {
  const { code, out, err } = await iapo(["replay", run, "--trust", "--model", modelDirectory()]);
  expect(code, err).toBe(0);
  expect(out).toMatch(/^2 steps replay: rewards, penalties, advantages of 12 samples, losses of 2 updates$/m);
  expect(out).toMatch(/^12 traces hold what their tasks give/m);
  const { log } = await readStep(join(run, "steps/step-000000.jsonl"));
  expect(log.samples.some(({ advantages }) => advantages[0] !== 0)).toBe(true); // so something was compared
  expect((await iapo(["replay", run, "--trust", "--step", "1"])).out).toMatch(/^1 steps replay: .* of 6 samples/);
});

test("each number is told, logged beside recomputed; and tokens have their texts by the run's own tokenizer only", async () => {
  const told: ReplayComparison[] = [];
  await replayRun(run, { step: 0, trust: true, onCompared: (one) => void told.push(one) });
  const { traces, log } = await readStep(join(run, "steps/step-000000.jsonl"));
  const turns = traces.reduce((sum, trace) => sum + trace.turns.length, 0);
  const count = (what: string): number => told.filter((one) => one.what === what).length;
  expect([count("shapedReward"), count("advantage"), count("loss")]).toEqual([
    traces.length,
    turns,
    log.updates.length,
  ]);
  expect(told.find(({ what }) => what === "loss")?.logged).toBe(log.updates[0]?.loss);

  const texts = await tokenTextsOf(run);
  for (const { tokens, lossMask, text } of traces.flatMap((trace) => trace.turns)) {
    const pieces = texts!(tokens.filter((_, i) => lossMask[i] === 1));
    expect(pieces).toHaveLength(lossMask.filter((sampled) => sampled === 1).length);
    expect(pieces.join("").startsWith(text)).toBe(true);
  }
  const other = copyOf(run);
  const record = join(other, "run.json");
  const [, hash] = /"model\/tokenizer\.json": "(\w+)"/.exec(readFileSync(record, "utf8"))!;
  writeFileSync(record, readFileSync(record, "utf8").replace(hash!, "0".repeat(64)));
  expect(await tokenTextsOf(other)).toBeUndefined();
});

test("the user's own functions are not loaded unless they are trusted", async () => {
  await expectRefusal(
    ["replay", run],
    2,
    /names modules of its own .*fixtures-reward\.ts.*say that you trust them.*\(untrusted: --trust\)/,
  );
});

test("a changed byte is named with its file, line, and the first trace that is lost", async () => {
  const broken = copyOf(run);
  const file = join(broken, "steps/step-000001.jsonl");
  const bytes = readFileSync(file);
  const fifth = bytes.toString("latin1").split("\n").slice(0, 4).join("\n").length + 100;
  bytes[fifth]! ^= 1;
  writeFileSync(file, bytes);
  await expectRefusal(
    ["replay", broken, "--trust"],
    1,
    /step-000001\.jsonl, line 5: .*\(corrupt\)\nThe last whole trace is group 0, sample 1; the one behind it/,
  );
});

test("an altered number, sealed again, is named with its sample", async () => {
  const altered = copyOf(run);
  const file = join(altered, "steps/step-000000.jsonl");
  const step = await readStep(file);
  await rm(file);
  const samples = step.log.samples.map((log, i) =>
    i === 4 ? { ...log, advantages: [Number(log.advantages[0]) + 1e-3] } : log,
  );
  await writeStep(join(altered, "steps"), { ...step, log: { ...step.log, samples } });
  await expectRefusal(
    ["replay", altered, "--trust"],
    1,
    /group 1, sample 1: advantage .* was logged as .* \(differs\)/,
  );
});

test("a text that the tokens do not say is found by the model's processor", async () => {
  const altered = copyOf(run);
  const file = join(altered, "steps/step-000000.jsonl");
  const step = await readStep(file);
  await rm(file);
  const traces = step.traces.map((trace) => ({
    ...trace,
    turns: trace.turns.map((turn) => ({ ...turn, text: `${turn.text.slice(0, -1)}!` })), // of equal length: the reward is the same
  }));
  await writeStep(join(altered, "steps"), { ...step, traces });
  await expectRefusal(
    ["replay", altered, "--trust", "--model", modelDirectory()],
    1,
    /step 0, group 0, sample 0, turn 0: text differ at .* \(differs\)/,
  );
});

test("a chart's task that is not the chart of its number is found too", async () => {
  const altered = copyOf(run);
  const file = join(altered, "steps/step-000000.jsonl");
  const step = await readStep(file);
  await rm(file);
  const traces = step.traces.map((trace) => ({
    ...trace,
    task: { ...trace.task, content: { ...storedVisualContent(trace.task), question: "Which is highest?" } },
  }));
  await writeStep(join(altered, "steps"), { ...step, traces });
  await expectRefusal(
    ["replay", altered, "--trust", "--model", modelDirectory()],
    1,
    /task nano-\S+: its trace holds another content than the chart of this number \(differs\)/,
  );
});

test("rollout and update give the same distributions, to the bit, under the weights that wrote the step", async () => {
  const out = temporaryFolder();
  const [student, weights] = [join(out, "student"), join(out, "after-1")];
  const settings = [
    "steps=2",
    "groups=1",
    "rollout.samples=2",
    "rollout.maxTokens=32",
    "checkpoint.every=1",
    "evaluate=",
  ];
  const sets = settings.flatMap((one) => ["--set", `grpo.${one}`]);
  const made = await iapo(["train", "nano-grpo", ...sets, "--out", student]);
  expect(made.code, made.err).toBe(0);
  const { traces } = await readStep(join(student, "steps/step-000001.jsonl"));
  expect(traces.some(({ turns }) => turns.length === 2 && turns[1]!.images.length === 1)).toBe(true);
  expect((await iapo(["export", student, "--step", "1", "--out", weights])).code).toBe(0);
  const args = ["replay", student, "--step", "1", "--logits", "2", "--model"];
  const { code, out: said, err } = await iapo([...args, weights]);
  expect(code, err).toBe(0);
  const [, equal, tokens] = /^step 1, 2 traces: (\d+) of (\d+) distributions are equal to the bit/m.exec(said)!;
  expect(Number(tokens)).toBeGreaterThan(20);
  expect(equal).toBe(tokens);
  expect(said).toMatch(/log-probs differ by 0 at most, KL by 0 nats, from what was recorded by \S+e-[678]$/m);
  await expectRefusal([...args, "nano-teacher"], 1, /teacher\/? did not write step 1: .*`iapo export .* --step 1`/);
  await expectRefusal(["replay", plain, "--logits", "2"], 2, /--logits needs --step and --model/);
});

test("an exported checkpoint holds the run's weights to the bit; bf16 and a merged adapter load too", async () => {
  const out = temporaryFolder();
  const whole = await iapo(["export", plain, "--out", join(out, "f32")]);
  expect(whole.out, whole.err).toMatch(/rows of logits equal to the bit/);
  await using exported = await openSafetensors(join(out, "f32"));
  await using kept = await openSafetensors(join(plain, "checkpoints/step-000001/parameters.safetensors"));
  expect([...exported.tensors.keys()].sort()).toEqual([...kept.tensors.keys()].sort());
  for (const name of kept.tensors.keys())
    expect((await bytesOf(exported, name)).equals(await bytesOf(kept, name)), name).toBe(true);

  const merged = await iapo([
    "export",
    join(run, "checkpoints/step-000002"),
    "--out",
    join(out, "merged"),
    "--dtype",
    "bf16",
  ]);
  expect(merged.out, merged.err).toMatch(/bf16, from .*step-000002\n38 rows of logits equal to the bit/);
  for (const name of ["config.json", "tokenizer.json", "model.safetensors"])
    expect(existsSync(join(out, "merged", name))).toBe(true);
});

test("export refuses what is taken, missing or damaged, and leaves nothing", async () => {
  const folder = temporaryFolder();
  const out = join(folder, "out");
  await expectRefusal(["export", run, "--out", run], 1, /is there already \(exists: --out\)/);
  await expectRefusal(
    ["export", "/nowhere", "--out", out],
    1,
    /\/nowhere holds no run: there is no .*run\.json.*\(missing\)/,
  );
  await expectRefusal(["export", run, "--out", out, "--step", "9"], 1, /no checkpoint after 9 steps; there are: 1, 2/);
  await expectRefusal(["export", run, "--out", out, "--best"], 1, /was not evaluated.*take the last/);
  await expectRefusal(["export", run, "--out", out, "--best", "--last"], 2, /give one of --best, --last and --step/);
  const broken = copyOf(plain);
  const weights = join(broken, "checkpoints/step-000001/parameters.safetensors");
  const bytes = readFileSync(weights);
  bytes[bytes.length - 5]! ^= 1;
  writeFileSync(weights, bytes);
  await expectRefusal(["export", broken, "--out", out], 1, /parameters\.safetensors is damaged/);
  expect(existsSync(out)).toBe(false);
});

test.each([
  [["replay", "/nowhere"], 1, /\/nowhere holds no run: there is no .*run\.json.*\(missing\)/],
  [["replay", "x", "--step", "-1"], 2, /whole number of at least 0/],
  [["replay", run, "--trust", "--step", "7"], 1, /holds no step 7, but 0 to 1 \(missing\)/],
  [["replay", run, "--trust", "--model", "/nowhere"], 1, /\/nowhere\/config\.json/],
] as const)("%j is refused", async (args, code, message) => {
  await expectRefusal(args, code, message);
});

function copyOf(directory: string): string {
  const copy = join(temporaryFolder(), "copy");
  cpSync(directory, copy, { recursive: true });
  return copy;
}

function modelDirectory(): string {
  return join(import.meta.dirname, "../../../../packages/nano-vl/base");
}

async function bytesOf(reader: Awaited<ReturnType<typeof openSafetensors>>, name: string): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for await (const piece of reader.pieces(name)) pieces.push(Uint8Array.from(piece));
  return Buffer.concat(pieces);
}
