// A GRPO step with a tool between two turns in TRL's GRPOTrainer, in a lean PyTorch loop with shared prefixes, and here: the same model directory,
// tasks, group size, turns and update. Prints `{ rows }` as JSON. One process each, kept warm; steps take turns. Prompts, tools and rewards of
// the Python workers come from this process, and its time is not counted as theirs; ours counts its own. Figures are medians of the rounds after the first.
// `correct`: rewards of all steps agree within 4 standard errors, and the loss of the same traces within 1e-4 of its terms. Products of matrices
// of the model's widths stand beside: what PyTorch's kernels do with the CPU's fused multiply-adds, and ours through a software driver.
import { execFileSync } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { largeTeacherDirectory, studentDirectory } from "@iapo/nano-vl";
import { loadConfig } from "@iapo/qwen-vl-model/config";
import { loadProcessor } from "@iapo/qwen-vl-model/processor";
import { writeMini } from "./mini.ts";
import { Episodes } from "./python/episodes.ts";
import { LineWorker, type Message } from "./python/lines.ts";
import type { Product, Products } from "./python/products.ts";
import { rates } from "./python/settings.ts";

const ROUNDS = Number(process.env.IAPO_BENCH_ROUNDS ?? 5);
const [GROUPS, SAMPLES, MAX_TOKENS] = [4, 8, 48];
const interop = join(import.meta.dirname, "../../../tools/interop");
const python = join(interop, ".venv/bin/python");

execFileSync(join(interop, "set-up.sh"), { stdio: ["ignore", 2, 2] });

const folder = await mkdtemp(join(tmpdir(), "iapo-bench-python-"));
try {
  const models = { nano: studentDirectory, "2.4 M": largeTeacherDirectory, mini: join(folder, "mini") };
  await writeMini(models.mini);
  const rows: object[] = [];
  for (const [name, directory] of Object.entries(models)) rows.push(...(await compare(name, directory)));
  console.log(JSON.stringify({ rows }));
} finally {
  await rm(folder, { recursive: true });
}

async function compare(name: string, directory: string): Promise<object[]> {
  const episodes = await Episodes.open(directory);
  const { stopIds } = await loadProcessor(directory);
  const settings = JSON.stringify({
    directory,
    groups: GROUPS,
    samples: SAMPLES,
    maxTokens: MAX_TOKENS,
    stopIds,
    ...rates,
  });
  const quiet = { HF_HUB_OFFLINE: "1", OMP_NUM_THREADS: "2", OMP_WAIT_POLICY: "PASSIVE", CUDA_VISIBLE_DEVICES: "" };
  const inPython = (program: string) =>
    new LineWorker(program, python, [join(interop, `python/bench_${program}.py`), settings], quiet);
  const ours = new LineWorker("ours", "node", [
    "--conditions=@iapo/source",
    "--no-warnings",
    join(import.meta.dirname, "python/ours.ts"),
    settings,
  ]);
  const lean = inPython("lean");
  const workers = [ours, lean, inPython("trl")];
  const help = (asked: Message) => episodes.answer(asked);
  const measured = new Map(workers.map((worker) => [worker.name, [] as Message[]]));
  const losses = new Map<string, number>();
  const { loss, traces } = await ours.ask({ do: "loss", step: 0, tasks: [1000, 1001, 1002, 1003] }, help); // before any update
  losses.set("ours", loss as number);
  for (const worker of workers.slice(1))
    losses.set(worker.name, (await worker.ask({ do: "loss", traces }, help)).loss as number);
  for (let step = 0; step <= ROUNDS; step++) {
    const tasks = Array.from({ length: GROUPS }, (_, i) => step * GROUPS + i);
    for (const worker of workers) {
      const made = await worker.ask({ do: "step", step, tasks }, help);
      measured.get(worker.name)?.push(made);
      console.error(`${name}, step ${step}, ${worker.name}: ${(made.seconds as number).toFixed(2)} s`);
    }
  }
  const { hiddenSize, intermediateSize } = (await loadConfig(directory)).text;
  const shapes = [GROUPS * SAMPLES, 4096].map((rows): Product => [rows, intermediateSize, hiddenSize]);
  const own = (await ours.ask({ do: "products", shapes }, help)) as unknown as Products;
  const theirs = (await lean.ask({ do: "products", shapes }, help)) as unknown as Products;
  for (const worker of workers) worker.end();
  return [...table(name, measured, losses), ...productRows(name, shapes, own, theirs)];
}

/** A step's matrix products are of these two kinds: a token of every response, and all tokens of an update. */
function productRows(name: string, shapes: readonly Product[], ours: Products, lean: Products): object[] {
  return shapes.map(([rows, columns, inner], i) => {
    const [own = Number.NaN, torch = Number.NaN] = [ours, lean].map(({ rates }) => rates[i]);
    const apart = ours.samples[i]?.map((value, k) => Math.abs(value - (lean.samples[i]?.[k] ?? Number.NaN))) ?? [];
    return {
      case: `${name}: product of ${rows} rows, ${inner} to ${columns}`,
      unit: "GFLOP/s",
      ours: Number(own.toPrecision(3)),
      correct: apart.length > 0 && Math.max(...apart) < 1e-4,
      peers: { lean: Number(torch.toPrecision(3)), trl: null },
    };
  });
}

function table(
  name: string,
  measured: ReadonlyMap<string, readonly Message[]>,
  losses: ReadonlyMap<string, number>,
): object[] {
  const peers = [...measured.keys()].filter((worker) => worker !== "ours");
  const of = (worker: string, figure: (made: Message) => number): number => {
    const rounds = (measured.get(worker) ?? []).slice(1);
    return Number(median(rounds.map(figure)).toPrecision(3));
  };
  const rewards = (worker: string): number[] =>
    (measured.get(worker) ?? []).flatMap((made) => made.rewards as number[]);
  const correct = peers.every((peer) => {
    const near = Math.abs((losses.get(peer) ?? Number.NaN) - (losses.get("ours") ?? Number.NaN)) < 1e-4;
    return near && standardErrorsApart(rewards(peer), rewards("ours")) < 4;
  });
  const row = (label: string, unit: string, figure: (worker: string) => number) => {
    const others = Object.fromEntries(peers.map((peer) => [peer, figure(peer)]));
    return { case: `${name}: ${label}`, unit, ours: figure("ours"), correct, peers: others };
  };
  const time = (part: string) => (worker: string) => of(worker, (made) => made[part] as number);
  return [
    row("generation", "tokens/s", (worker) => of(worker, (made) => (made.tokens as number) / (made.rollout as number))),
    row("rollout", "s", time("rollout")),
    row("scoring", "s", time("score")),
    row("update", "s", time("update")),
    row("step", "s", time("seconds")),
    row("step, of all threads", "CPU s", time("cpu")),
    row("peak memory of the process", "GiB", (worker) => of(worker, (made) => (made.peak as number) / 2 ** 30)),
    row("mean reward of all steps", "", (worker) => Number(mean(rewards(worker)).toPrecision(3))),
    row("loss of the same traces", "", (worker) => losses.get(worker) ?? Number.NaN),
  ];
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const [low, high] = [sorted[Math.floor((sorted.length - 1) / 2)], sorted[Math.ceil((sorted.length - 1) / 2)]];
  return ((low ?? Number.NaN) + (high ?? Number.NaN)) / 2;
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** Of two means of answers that are right or wrong. */
function standardErrorsApart(a: readonly number[], b: readonly number[]): number {
  const variance = (values: readonly number[]) => Math.max((mean(values) * (1 - mean(values))) / values.length, 1e-4);
  return Math.abs(mean(a) - mean(b)) / Math.sqrt(variance(a) + variance(b));
}
