/**
 * What a fleet costs where it gains nothing: a worker on the machine of its learner, for the mini model (4 million random weights). The same run alone,
 * alone with each group a pass of its own, and with one worker, by turns; a figure is the median over rounds of the mean step behind the first, which compiles.
 * And how small the difference of two versions of an adapter is, losslessly. Prints `{ name, rows: [{ case, unit, ours, correct }] }`; `correct`: the
 * worker changed no byte. ROUNDS (3) and STEPS (4) may be set.
 */
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { zstdCompressSync } from "node:zlib";
import { finished, hashOfRun, iapo, type StepOfFleet, stepsOfFleet, sum } from "./runs.ts";

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
const settings = (split: "packed" | "group"): string[] =>
  [
    ...[
      `model.directory=${model}`,
      "model.initialize=1",
      "model.dtype=f32",
      "grpo.evaluate=",
      "grpo.checkpoint.every=1",
    ],
    ...["grpo.checkpoint.keep=1", `grpo.steps=${STEPS}`, "grpo.groups=4", "grpo.rollout.samples=4"],
    ...["grpo.rollout.maxTokens=24", `grpo.update.split=${split}`],
  ].flatMap((setting) => ["--set", setting]);

interface Timed {
  readonly seconds: number;
  readonly hash: string;
  readonly fleet: readonly StepOfFleet[];
}

async function timed(name: string, args: readonly string[]): Promise<Timed> {
  const directory = join(folder, name);
  await finished(iapo(["train", "nano-grpo", ...args, "--out", directory]));
  const steps = join(directory, "steps");
  const written = readdirSync(steps).map((file) => statSync(join(steps, file)).mtimeMs);
  const [first, last] = [Math.min(...written), Math.max(...written)];
  const made = {
    seconds: (last - first) / 1000 / (STEPS - 1),
    hash: hashOfRun(directory),
    fleet: stepsOfFleet(directory),
  };
  rmSync(directory, { recursive: true });
  console.error(`${name}: ${made.seconds.toFixed(2)} s a step`);
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

/** Of two versions of an adapter one after the other: shares of words that differ, and of bytes that are left when the difference is compressed. */
async function deltas(learningRate: string): Promise<{ changed: number; whole: number; difference: number }> {
  const directory = join(folder, `adapter-${learningRate}`);
  const more = [
    "model.lora.rank=8",
    "model.lora.alpha=16",
    "model.initialize=",
    "model.directory=nano-student",
    "grpo.checkpoint.keep=9",
  ];
  const args = [...settings("packed"), ...more.flatMap((setting) => ["--set", setting])];
  await finished(
    iapo(["train", "nano-grpo", ...args, "--set", `grpo.optimizer.learningRate=${learningRate}`, "--out", directory]),
  );
  const place = join(directory, "checkpoints");
  const [one, other] = readdirSync(place)
    .sort()
    .slice(-2)
    .map((name) => adapterOf(join(place, name)));
  if (!one || !other || one.length === 0) throw new Error(`${place} holds no two adapters`);
  const xor = other.map((word, i) => word ^ (one[i] ?? 0));
  const bytes = (words: Uint16Array): number =>
    zstdCompressSync(new Uint8Array(words.buffer)).length / (2 * words.length);
  return { changed: xor.filter((word) => word !== 0).length / xor.length, whole: bytes(other), difference: bytes(xor) };
}

try {
  const rounds: Record<"packed" | "alone" | "worker", Timed>[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const alone = await timed("alone", settings("group"));
    const worker = await timed("worker", [...settings("group"), "--fleet", "1", "--min-workers", "1"]);
    const packed = await timed("packed", settings("packed"));
    rounds.push({ alone, worker, packed });
  }
  const correct = new Set(rounds.flatMap(({ alone, worker }) => [alone.hash, worker.hash])).size === 1;
  const ofSteps = rounds.flatMap(({ worker }) => worker.fleet.slice(1));
  const mean = (value: (step: StepOfFleet) => number): number => sum(ofSteps.map(value)) / ofSteps.length;
  const row = (name: string, unit: string, ours: number) => ({
    case: name,
    unit,
    ours: Number(ours.toPrecision(4)),
    correct,
  });
  const ratio = (one: "packed" | "alone" | "worker", other: "alone" | "packed"): number =>
    median(rounds.map((round) => round[one].seconds / round[other].seconds));
  const rows = [
    row("step alone", "s", median(rounds.map(({ alone }) => alone.seconds))),
    row("step with one worker", "of alone", ratio("worker", "alone")),
    row("step with a pass for each group", "of packed", ratio("alone", "packed")),
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
    row(
      "units out",
      "of the step's time",
      mean(({ waited, milliseconds }) => waited / milliseconds),
    ),
    row(
      "worker at units",
      "of the step's time",
      mean(({ workers, milliseconds }) => sum(Object.values(workers).map((one) => one.milliseconds)) / milliseconds),
    ),
  ];
  for (const rate of ["1e-5", "1e-4"]) {
    const { changed, whole, difference } = await deltas(rate);
    rows.push(
      row(`adapter at learning rate ${rate}: bf16 words that a step changes`, "share", changed),
      row(`adapter at learning rate ${rate}: compressed whole`, "of its bytes", whole),
      row(`adapter at learning rate ${rate}: compressed difference`, "of its bytes", difference),
    );
  }
  console.log(JSON.stringify({ name: "fleet-cost", rows }));
} finally {
  rmSync(folder, { recursive: true, force: true });
}
