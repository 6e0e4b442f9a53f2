// What is done for a job, each part by the command line in a process of its own: train, export, measure. What is there is not made again.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { listCheckpoints } from "@iapo/grpo";
import { makeDirectory, writeFileAtomic } from "@iapo/rollout-trace/files";
import { stringify } from "yaml";
import type { RecipeConfig } from "../../recipes/types.ts";
import {
  type AblationJob,
  type Measuring,
  measureDirectory,
  modelName,
  modelPath,
  runDirectoryOf,
  timedName,
  trainingSeconds,
} from "./places.ts";
import type { Outcome } from "./queue.ts";

/** What a command came to; `busy` where another process is at work in its directory. */
export type CommandEnd = { readonly state: "done" } | { readonly state: "busy" | "failed"; readonly reason: string };

/**
 * Runs a command of the command line in a process of its own: what happens there does not end the queue. Where `signal` aborts, the
 * command is asked to end in order. Throws what ends the whole queue, such as a missing adapter.
 */
export type RunCommand = (
  args: readonly string[],
  signal: AbortSignal,
  onLine: (line: string) => void,
) => Promise<CommandEnd>;

export interface WorkOptions extends Measuring {
  /** Training goes on until a run has had so many minutes; without it, it ends with the steps. */
  readonly minutes: number | undefined;
  /** Assignments for every run, such as `grpo.groups=2`. */
  readonly set: readonly string[];
  readonly note: (text: string) => void;
  readonly run: RunCommand;
}

const done: Outcome = { state: "done" };

export async function workOn(job: AblationJob, options: WorkOptions, signal: AbortSignal): Promise<Outcome> {
  const { directory, minutes } = options;
  const steps = () => trainToSteps(job, options, signal);
  const taken = modelName(job.id, job.steps);
  const exported = () => exportStep(job.id, taken, ["--step", String(job.steps)], options, signal);
  if (job.isPreparation) return inOrder([steps, exported]);
  const measured = (name: string) => () => measureModel(name, modelPath(directory, name), job.config, options, signal);
  if (minutes === undefined) return inOrder([steps, exported, measured(taken)]);
  const timed = timedName(job.id, minutes);
  return inOrder([
    ...[steps, exported, measured(taken)],
    () => trainToTime(job, timed, minutes, options, signal),
    () => exportStep(job.id, timed, ["--last"], options, signal),
    measured(timed),
  ]);
}

async function inOrder(parts: readonly (() => Promise<Outcome>)[]): Promise<Outcome> {
  for (const part of parts) {
    const outcome = await part();
    if (outcome.state !== "done") return outcome;
  }
  return done;
}

async function trainToSteps(job: AblationJob, options: WorkOptions, signal: AbortSignal): Promise<Outcome> {
  if ((await stepsDone(job, options)) >= job.steps) return done;
  return train(job, job.steps, options, signal);
}

/** Steps without end, stopped when the time is over. */
async function trainToTime(
  job: AblationJob,
  model: string,
  minutes: number,
  options: WorkOptions,
  signal: AbortSignal,
): Promise<Outcome> {
  const run = runDirectoryOf(options.directory, job.id);
  if (existsSync(modelPath(options.directory, model))) return done;
  const isOver = async (): Promise<boolean> => {
    const seconds = [...(await trainingSeconds(run)).values()].reduce((sum, one) => sum + one, 0);
    return seconds >= 60 * minutes;
  };
  if (await isOver()) return done;
  const time = new AbortController();
  const onStep = async (): Promise<void> => {
    if (await isOver()) time.abort();
  };
  const outcome = await train(job, MANY_STEPS, options, AbortSignal.any([signal, time.signal]), onStep);
  return outcome.state === "stopped" && time.signal.aborted && !signal.aborted ? done : outcome;
}

const MANY_STEPS = 1_000_000;

async function stepsDone({ id }: AblationJob, { directory }: WorkOptions): Promise<number> {
  const checkpoints = await listCheckpoints(join(runDirectoryOf(directory, id), "checkpoints"));
  return checkpoints.at(-1)?.step ?? 0;
}

async function train(
  { id, config }: AblationJob,
  steps: number,
  options: WorkOptions,
  signal: AbortSignal,
  onStep: () => Promise<void> = async () => {},
): Promise<Outcome> {
  const { directory, set, note } = options;
  await makeDirectory(join(directory, "configurations"));
  const file = join(directory, "configurations", `${id}.yaml`);
  await writeFileAtomic(file, stringify(config));
  // Assignments are for the runs that are compared; how a model is made from examples is not theirs.
  const [kind, assigned] = config.supervised ? ["sft", []] : ["train", [...set, `grpo.steps=${steps}`]];
  const assignments = assigned.flatMap((one) => ["--set", one]);
  const lines = progressLines(id, note);
  const args = [kind, file, "--out", runDirectoryOf(directory, id), "--resume", "--json", ...assignments];
  return command(options, args, signal, (line) => {
    if (lines(line)) onStep().catch(() => {}); // a reading that fails is made again after the next step
  });
}

async function exportStep(
  id: string,
  name: string,
  which: readonly string[],
  options: WorkOptions,
  signal: AbortSignal,
): Promise<Outcome> {
  const { directory } = options;
  const model = modelPath(directory, name);
  if (existsSync(model)) return done;
  await makeDirectory(join(directory, "models"));
  return command(options, ["--quiet", "export", runDirectoryOf(directory, id), ...which, "--out", model], signal);
}

/** By `iapo eval` in the environment of a configuration, sampled at T = 1 with the same seeds for every model. */
export async function measureModel(
  name: string,
  model: string,
  { model: trained, data, environment }: RecipeConfig,
  options: WorkOptions,
  signal: AbortSignal,
): Promise<Outcome> {
  const { tests, split, set, note, directory } = options;
  const out = measureDirectory(options, name);
  if (existsSync(join(out, "results.json"))) return done;
  note(`${name}: measure on ${tests} charts of ${split} tables`);
  const file = join(directory, "configurations", `measure-${name}.yaml`);
  await makeDirectory(join(directory, "configurations"));
  await writeFileAtomic(file, stringify({ model: trained, data, environment }));
  const episodes = [
    "--sets",
    "nano",
    "--config",
    file,
    ...set.filter(isOfEnvironment).flatMap((one) => ["--set", one]),
  ];
  const sampling = ["--limit", String(tests), "--split", split, "--max-tokens", "48", "--seed", "1"];
  return command(options, ["--quiet", "eval", model, ...episodes, ...sampling, "--out", out], signal);
}

const isOfEnvironment = (assignment: string): boolean => assignment.startsWith("environment.");

/** An orphan of a queue that was killed ends at its next step: it is waited for. */
const [tries, between] = [100, 3000];

async function command(
  { run, note }: WorkOptions,
  args: readonly string[],
  signal: AbortSignal,
  onLine: (line: string) => void = () => {},
): Promise<Outcome> {
  for (let attempt = 0; ; attempt++) {
    const end = await run(args, signal, onLine);
    if (end.state === "done") return done;
    if (signal.aborted) return { state: "stopped" };
    if (end.state === "failed" || attempt === tries) return { state: "failed", reason: end.reason };
    if (attempt === 0) note(`another process is still at work: ${end.reason}`);
    await wait(between, undefined, { signal }).catch(() => {});
  }
}

const EVERY = 15_000;

/** Says now and then how far a training is. @returns of a line, whether a step has ended */
function progressLines(id: string, note: (text: string) => void): (line: string) => boolean {
  let noted = performance.now();
  return (line) => {
    const event = eventOf(line);
    if (event?.event !== "step") return false;
    const now = performance.now();
    if (now - noted >= EVERY) {
      noted = now;
      const { step, secondsPerStep } = event;
      note(`${id}: ${step} steps${typeof secondsPerStep === "number" ? `, ${secondsPerStep.toFixed(1)} s each` : ""}`);
    }
    return true;
  };
}

function eventOf(line: string): Record<string, unknown> | undefined {
  try {
    return JSON.parse(line) as Record<string, unknown>;
  } catch {
    return undefined;
  }
}
