/**
 * What a fleet costs where it gains nothing: a worker on the machine of its learner, for the mini model (4 million random weights). The same run alone,
 * alone with each group a pass of its own, and with one worker, by turns, in small steps, and in steps of the recipe's size; a figure is the median over rounds of the mean step behind the first, which compiles.
 * Learner and worker take turns at the same processors, as units wait for each other in a step; what others do on the machine falsifies the clock, and the
 * time of processors hardly. That is read from /proc: Linux only.
 * And how small the difference of two versions of an adapter is, losslessly. Prints `{ name, rows: [{ case, unit, ours, correct }] }`; `correct`: the
 * worker changed no byte. ROUNDS (3) and STEPS (4) may be set.
 */
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { zstdCompressSync, zstdDecompressSync } from "node:zlib";
import {
  childrenOf,
  finished,
  hashOfRun,
  iapo,
  processorSeconds,
  type StepOfFleet,
  stepsOfFleet,
  sum,
  until,
} from "./runs.ts";

const ROUNDS = Number(process.env.ROUNDS ?? 3);
const STEPS = Number(process.env.STEPS ?? 4);
const folder = mkdtempSync(join(tmpdir(), "iapo-fleet-cost-"));

/** The tokenizer of nano, widths of mini. */
function miniModel(): string {
  const directory = join(folder, "mini");
  cpSync(fileURLToPath(new URL("../../nano-vl/base/", import.meta.url)), directory, { recursive: true });
  const path = join(directory, "config.json");
  const base = JSON.parse(readFileSync(path, "utf8")) as { vision_config: object };
  const vision_config = {
    ...{ ...base.vision_config, depth: 8, hidden_size: 128, num_heads: 4, intermediate_size: 340 },
    ...{ out_hidden_size: 192, fullatt_block_indexes: [3, 7] },
  };
  const widths = { hidden_size: 192, num_hidden_layers: 5, num_attention_heads: 6, num_key_value_heads: 2 };
  writeFileSync(path, JSON.stringify({ ...base, ...widths, intermediate_size: 512, vision_config }));
  return directory;
}

const model = miniModel();
/** Of a step: small, so that what travels weighs most; or as the recipe has it. */
const sizes = { small: ["grpo.groups=4", "grpo.rollout.samples=4", "grpo.rollout.maxTokens=24"], recipe: [] } as const;
const settings = (split: "packed" | "group", size: keyof typeof sizes = "small"): string[] =>
  [
    ...[
      `model.directory=${model}`,
      "model.initialize=1",
      "model.dtype=f32",
      "grpo.evaluate=",
      "grpo.checkpoint.every=1",
    ],
    ...["grpo.checkpoint.keep=1", `grpo.steps=${STEPS}`, `grpo.update.split=${split}`, ...sizes[size]],
  ].flatMap((setting) => ["--set", setting]);

/** Seconds of a step: by the clock, and of processors in the learner and in its worker. */
interface Seconds {
  readonly clock: number;
  readonly learner: number;
  readonly worker: number;
}

/** Random weights earn no reward, so no gradient moves them: they decay, so that each step has another version for its worker. */
const decaying = ["--set", "grpo.optimizer.learningRate=1e-3", "--set", "grpo.optimizer.weightDecay=0.1"];

interface Timed {
  readonly seconds: Seconds;
  readonly hash: string;
  readonly fleet: readonly StepOfFleet[];
}

/** From the end of the first step, which compiles, to the end of the last. */
async function timed(name: string, args: readonly string[]): Promise<Timed> {
  const directory = join(folder, name);
  const run = iapo(["train", "nano-grpo", ...args, ...decaying, "--out", directory]);
  const { pid = 0 } = run.child;
  const steps = join(directory, "steps");
  const ended = (): number =>
    existsSync(steps) ? readdirSync(steps).filter((name) => !name.endsWith(".partial")).length : 0;
  const now = (): Seconds => ({
    ...{ clock: performance.now() / 1000, learner: processorSeconds(pid) },
    worker: sum(childrenOf(pid).map(processorSeconds)),
  });
  await until(run, () => ended() >= 1, "its first step has ended");
  const first = now();
  await until(run, () => ended() >= STEPS, "its last step has ended");
  const last = now();
  await finished(run);
  const mean = (of: keyof Seconds): number => (last[of] - first[of]) / (STEPS - 1);
  const seconds = { clock: mean("clock"), learner: mean("learner"), worker: mean("worker") };
  const made = { seconds, hash: hashOfRun(directory), fleet: stepsOfFleet(directory) };
  rmSync(directory, { recursive: true });
  const [clock, learner, worker] = [seconds.clock, seconds.learner, seconds.worker].map((value) => value.toFixed(2));
  console.error(`${name}: ${clock} s a step, ${learner} s of processors in the learner, ${worker} in its worker`);
  return made;
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
}

/** bf16 of f32, to nearest, ties to even. */
function rounded(values: Uint32Array): Uint16Array {
  return Uint16Array.from(values, (bits) => (bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16);
}

/** The words that a checkpoint's adapter has as bf16, by name. */
function adapterOf(checkpoint: string): Uint16Array {
  const file = readFileSync(join(checkpoint, "parameters.safetensors"));
  const length = Number(file.readBigUInt64LE(0));
  const header = JSON.parse(file.toString("utf8", 8, 8 + length)) as Record<string, { data_offsets: [number, number] }>;
  const parts = Object.keys(header)
    .filter((name) => name !== "__metadata__")
    .sort()
    .map((name) => {
      const [from, to] = header[name]?.data_offsets ?? [0, 0];
      return rounded(new Uint32Array(Uint8Array.from(file.subarray(8 + length + from, 8 + length + to)).buffer));
    });
  const all = new Uint16Array(sum(parts.map((part) => part.length)));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

interface Deltas {
  /** Shares of words that differ, and of bytes that are left when a version, and when the difference, is compressed. */
  readonly changed: number;
  readonly whole: number;
  readonly difference: number;
  /** Whether the last version comes back out of the one before and the compressed difference. */
  readonly correct: boolean;
}

/** Of the last two versions of an adapter. */
async function deltas(learningRate: string): Promise<Deltas> {
  const directory = join(folder, `adapter-${learningRate}`);
  const more = [
    ...["model.lora.rank=8", "model.lora.alpha=16", "model.initialize=", "model.directory=nano-student"],
    ...["grpo.checkpoint.keep=9", `grpo.optimizer.learningRate=${learningRate}`],
  ];
  const args = [...settings("packed"), ...more.flatMap((setting) => ["--set", setting])];
  await finished(iapo(["train", "nano-grpo", ...args, "--out", directory]));
  const place = join(directory, "checkpoints");
  const names = readdirSync(place).sort().slice(-2);
  const [one, other] = names.map((name) => adapterOf(join(place, name)));
  if (!one || !other || one.length === 0) throw new Error(`${place} holds no two adapters`);
  const bytesOf = (words: Uint16Array): Uint8Array => new Uint8Array(words.buffer);
  const xor = other.map((word, i) => word ^ (one[i] ?? 0));
  const [whole, difference] = [other, xor].map((words) => zstdCompressSync(bytesOf(words))) as [Buffer, Buffer];
  const back = new Uint16Array(Uint8Array.from(zstdDecompressSync(difference)).buffer);
  rmSync(directory, { recursive: true });
  return {
    changed: xor.filter((word) => word !== 0).length / xor.length,
    ...{ whole: whole.length / (2 * other.length), difference: difference.length / (2 * other.length) },
    correct: other.every((word, i) => word === ((back[i] ?? 0) ^ (one[i] ?? 0))),
  };
}

type Way = "alone" | "worker" | "packed" | "alone, recipe" | "worker, recipe";

try {
  const rounds: Record<Way, Timed>[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const fleet = ["--fleet", "1", "--min-workers", "1"];
    rounds.push({
      alone: await timed("alone", settings("group")),
      worker: await timed("worker", [...settings("group"), ...fleet]),
      packed: await timed("packed", settings("packed")),
      "alone, recipe": await timed("alone, recipe", settings("group", "recipe")),
      "worker, recipe": await timed("worker, recipe", [...settings("group", "recipe"), ...fleet]),
    });
  }
  const isSame = (one: Way, other: Way): boolean =>
    new Set(rounds.flatMap((round) => [round[one].hash, round[other].hash])).size === 1;
  const correct = isSame("alone", "worker") && isSame("alone, recipe", "worker, recipe");
  const ofSteps = rounds.flatMap(({ worker }) => worker.fleet.slice(1));
  const mean = (value: (step: StepOfFleet) => number): number => sum(ofSteps.map(value)) / ofSteps.length;
  const row = (name: string, unit: string, ours: number, isRight = correct) => ({
    ...{ case: name, unit, ours: Number(ours.toPrecision(4)), correct: isRight },
  });
  const clock = ({ seconds }: Timed): number => seconds.clock;
  const processors = ({ seconds }: Timed): number => seconds.learner + seconds.worker;
  const ratio = (of: (one: Timed) => number, one: Way, other: Way): number =>
    median(rounds.map((round) => of(round[one]) / of(round[other])));
  const [atUnits, whole] = [
    mean(({ workers }) => sum(Object.values(workers).map((one) => one.milliseconds))),
    mean(({ milliseconds }) => milliseconds),
  ];
  const rows = [
    row("step alone", "s", median(rounds.map(({ alone }) => clock(alone)))),
    row("step alone, of processors", "s", median(rounds.map(({ alone }) => processors(alone)))),
    row("step with one worker, by the clock", "of alone", ratio(clock, "worker", "alone")),
    row("step with one worker, by processors' time of both", "of alone", ratio(processors, "worker", "alone")),
    row(
      "learner beside one worker, by processors' time",
      "of alone",
      ratio(({ seconds }) => seconds.learner, "worker", "alone"),
    ),
    row("the recipe's step alone", "s", median(rounds.map((round) => clock(round["alone, recipe"])))),
    row("the recipe's step with one worker, by the clock", "of alone", ratio(clock, "worker, recipe", "alone, recipe")),
    row(
      "the recipe's step with one worker, by processors' time of both",
      "of alone",
      ratio(processors, "worker, recipe", "alone, recipe"),
    ),
    row("step with a pass for each group, by the clock", "of packed", ratio(clock, "alone", "packed")),
    row("step with a pass for each group, by processors' time", "of packed", ratio(processors, "alone", "packed")),
    row(
      "messages",
      "a step",
      mean(({ messages }) => messages),
    ),
    row(
      "sent",
      "MB a step",
      mean(({ bytesSent }) => bytesSent / 1e6),
    ),
    row(
      "received",
      "MB a step",
      mean(({ bytesReceived }) => bytesReceived / 1e6),
    ),
    row("learner waits for units", "of the step's time", mean(({ waited }) => waited) / whole),
    row("worker at units", "of the step's time", atUnits / whole),
  ];
  for (const rate of ["1e-5", "1e-4"]) {
    const { changed, whole: all, difference, correct: isRight } = await deltas(rate);
    rows.push(
      row(`adapter at learning rate ${rate}: bf16 words that a step changes`, "share", changed, isRight),
      row(`adapter at learning rate ${rate}: compressed whole`, "of its bytes", all, isRight),
      row(`adapter at learning rate ${rate}: compressed difference`, "of its bytes", difference, isRight),
    );
  }
  console.log(JSON.stringify({ name: "fleet-cost", rows }));
} finally {
  rmSync(folder, { recursive: true, force: true });
}
