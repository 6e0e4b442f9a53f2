// A run with `--log mlflow --log trackio --log wandb`, against the trackers' own servers, read back by their own readers, and by TensorBoard's.
import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { listSteps } from "@iapo/rollout-trace/files";
import { readMetrics } from "@iapo/run-report";
import { expect, test } from "vitest";
import { figure, startPython } from "../python.ts";

type Points = readonly (readonly [step: number, value: number])[];

interface Read {
  readonly mlflow: {
    readonly runs: number;
    readonly status: string;
    readonly params: Readonly<Record<string, string>>;
    readonly metrics: Readonly<Record<string, Points>>;
  };
  readonly trackio: { readonly runs: readonly string[]; readonly logs: readonly Readonly<Record<string, unknown>>[] };
  readonly wandb: {
    readonly kinds: readonly string[];
    readonly project: string;
    readonly name: string;
    readonly config: Readonly<Record<string, unknown>>;
    readonly history: readonly Readonly<Record<string, number>>[];
  };
  readonly tensorboard: Readonly<Record<string, Points>>;
}

const main = join(import.meta.dirname, "../../../apps/trainer/src/main.ts");

test("MLflow, trackio, Weights & Biases and TensorBoard hold the steps of a run", async () => {
  const folder = await mkdtemp(join(tmpdir(), "iapo-trackers-"));
  const python = startPython("trackers", [folder]);
  let said = "";
  python.stderr.on("data", (chunk: Buffer) => (said = (said + chunk).slice(-4000)));
  const lines = createInterface(python.stdout)[Symbol.asyncIterator]();
  const line = async (): Promise<string> => {
    const { done, value } = await lines.next();
    if (done) throw new Error(`python/trackers.py ended:\n${said}`);
    return value;
  };
  try {
    const { mlflow, trackio } = JSON.parse(await line()) as Record<"mlflow" | "trackio", string>;
    const directory = join(folder, "a-run");
    const env = { MLFLOW_TRACKING_URI: mlflow, TRACKIO_SERVER_URL: trackio };
    const logs = ["mlflow", "trackio", "wandb"].flatMap((name) => ["--log", name]);
    const few = ["grpo.groups=2", "grpo.rollout.samples=2", "grpo.evaluate.tasks=8"];
    const small = few.flatMap((setting) => ["--set", setting]);
    const train = (...more: string[]) => iapo(["train", ...more, ...logs], env);
    await train("nano-grpo", "--steps", "3", "--out", directory, ...small);
    python.stdin.write(`${JSON.stringify(directory)}\n`);
    const read = JSON.parse(await line()) as Read;
    await compare(read, directory);
  } finally {
    python.kill();
    await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  }
});

async function compare({ mlflow, trackio, wandb, tensorboard }: Read, directory: string): Promise<void> {
  const steps = [];
  for (const file of await listSteps(join(directory, "steps"))) steps.push(await readMetrics(file));
  expect(steps).toHaveLength(3);
  expect([mlflow.runs, mlflow.status]).toEqual([1, "FINISHED"]);
  expect(mlflow.params["grpo.groups"]).toBe("2");
  expect([wandb.project, wandb.name, wandb.kinds.at(0), wandb.kinds.at(-1)]).toEqual([
    "iapo",
    "a-run",
    "header",
    "exit",
  ]);
  expect((wandb.config.grpo as { groups: number }).groups).toBe(2);
  expect(trackio.runs).toEqual(["a-run"]);
  expect(trackio.logs).toHaveLength(3);
  let [single, values] = [0, 0];
  for (const [i, { step, metrics }] of steps.entries()) {
    for (const [name, value] of Object.entries(metrics)) {
      if (value === null || !Number.isFinite(value)) continue;
      values++;
      expect(at(mlflow.metrics[name], step), name).toBe(value);
      expect(wandb.history[i]?.[name], name).toBe(value);
      expect(trackio.logs[i]?.[name], name).toBe(value);
      single = Math.max(single, Math.abs(Math.fround(value) - (at(tensorboard[name], step) ?? Number.NaN)));
    }
    expect(wandb.history[i]?._step).toBe(step);
  }
  expect(values).toBeGreaterThan(60);
  expect(single).toBe(0);
  figure("MLflow, trackio, W&B (as written) and TensorBoard (as float32)", single);
}

/** Not every step has every metric. */
function at(points: Points | undefined, wanted: number): number | undefined {
  return points?.find(([step]) => step === wanted)?.[1];
}

async function iapo(args: readonly string[], env: NodeJS.ProcessEnv): Promise<void> {
  const child = spawn("node", ["--conditions=@iapo/source", "--no-warnings", main, ...args], {
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let said = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk: Buffer) => (said += chunk));
  const code = await new Promise((resolve) => child.on("close", resolve));
  expect(code, said).toBe(0);
  expect(said).not.toContain("!");
}
