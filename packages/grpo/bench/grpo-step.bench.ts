// A GRPO step of a nano model on chart tasks in two turns, 6 groups of 8 responses, with KL: time by part, the share outside of GPU kernels, and
// what sharing prompts gains. Prints `{ name, rows }` as JSON. One step is repeated, with the same bits: the learning rate is 0. Times are medians
// of five after a warm-up; `correct`: every ratio was 1 to the bit.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Environment } from "@iapo/rollout-trace";
import { writeStep } from "@iapo/rollout-trace/files";
import { openDevice } from "@iapo/tensor-core";
import type { VisualContent } from "@iapo/vqa-tasks";
import { writeCheckpoint } from "../src/checkpoint/checkpoints.ts";
import { type GrpoOptions, grpoRecipe, type Recipe, type RecipeStep } from "../src/index.ts";
import { lossPreset } from "../src/math/index.ts";
import { checkpointTensors } from "../src/run/state.ts";
import { chartTasks, environment, nanoPolicy } from "../test/support/nano.ts";

const ROUNDS = 5;
const [GROUPS, SAMPLES] = [6, 8];
const PLACE = { step: 0, cursor: 0 };

const device = await openDevice();
const policy = await nanoPolicy(device);
const all = await chartTasks(GROUPS);
let toolSeconds = 0;
const timedEnvironment: Environment<VisualContent> = {
  contentSchema: environment.contentSchema,
  prompt: (task) => environment.prompt(task),
  async step(...turn) {
    const start = performance.now();
    try {
      return await environment.step(...turn);
    } finally {
      toolSeconds += (performance.now() - start) / 1000;
    }
  },
};

const options: GrpoOptions = {
  seed: 1,
  groups: GROUPS,
  rollout: { samples: SAMPLES, sampling: { temperature: 1 }, maxTokens: 20 },
  advantage: { kind: "grpo", scale: "group", epsilon: 1e-6 },
  loss: { ...lossPreset("dapo"), kl: { where: "loss", estimator: "k3", coefficient: 0.01 } },
};
const parts = { policy, environment: timedEnvironment, learner: { learningRate: () => 0 } };
const shared = grpoRecipe({ ...parts, tasks: { length: all.length, task: (index) => all[index]! } }, options);
/** As many responses to the same tasks, each behind a prompt of its own. */
const apart = grpoRecipe(
  { ...parts, tasks: { length: all.length * SAMPLES, task: (index) => all[Math.floor(index / SAMPLES)]! } },
  { ...options, groups: GROUPS * SAMPLES, rollout: { ...options.rollout, samples: 1 } },
);

const together = await measure(shared);
const separate = await measure(apart);
const written = await measureWriting(shared, together.made);
const timed = await measureKernels(shared);
const correct = together.correct && separate.correct;
const row = (name: string, unit: string, ours: number) => ({
  case: name,
  unit,
  ours: Number(ours.toPrecision(3)),
  correct,
});
console.log(
  JSON.stringify({
    name: "grpo-step",
    rows: [
      row("step", "s", together.step),
      row("rollout", "s", together.rollout),
      row("tools and answers, summed over episodes, within the rollout", "s", together.tools),
      row("scoring by the reference", "s", together.score),
      row("update", "s", together.update),
      row("traces written", "s", written.traces),
      row("checkpoint", "s", written.checkpoint),
      ...(timed === undefined
        ? []
        : [
            row("step with every kernel timed", "s", timed.wall),
            row("its kernels", "s", timed.kernels),
            row("share outside of GPU kernels", "of that step", timed.share),
            row("share outside of GPU kernels, at most", "of an untimed step", timed.bound),
          ]),
      row("prompts not shared: step", "s", separate.step),
      row("gain of shared prompts", "times", separate.step / together.step),
    ],
  }),
);
for (const recipe of [shared, apart]) recipe.dispose();
policy.model.dispose();
device.close();

async function measure(recipe: Recipe) {
  const rounds: { step: number; rollout: number; score: number; update: number; tools: number }[] = [];
  let made = await recipe.step(PLACE);
  let onPolicy = true;
  for (let round = 0; round < ROUNDS; round++) {
    toolSeconds = 0;
    const step = await seconds(async () => {
      made = await recipe.step(PLACE);
    });
    const [rollout, score, update] = ["rollout", "score", "update"].map((part) => made.timings[part]! / 1000);
    rounds.push({ step, rollout: rollout!, score: score!, update: update!, tools: toolSeconds });
    onPolicy &&= made.metrics["actor/ppo_kl"] === 0;
  }
  return { ...medians(rounds), correct: onPolicy, made };
}

/**
 * A step with every kernel timed, beside the same step without; undefined where the adapter tells no times. Timing gives each dispatch a pass
 * of its own, which makes kernels and what lies between them longer. So of the step that is not timed at most `bound` lies outside of kernels:
 * the time outside of them in the timed one, over the shorter wall.
 */
async function measureKernels(recipe: Recipe) {
  if (!device.gpu?.features.has("timestamp-query")) return undefined;
  const rounds: { wall: number; kernels: number; share: number; bound: number }[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const untimed = await seconds(() => recipe.step(PLACE));
    let wall = 0;
    const times = await device.profile(async () => {
      wall = await seconds(() => recipe.step(PLACE));
    });
    const kernels = times.reduce((sum, { milliseconds }) => sum + milliseconds / 1000, 0);
    rounds.push({ wall, kernels, share: 1 - kernels / wall, bound: (wall - kernels) / untimed });
  }
  return medians(rounds);
}

async function measureWriting({ learner }: Recipe, { traces, log, metrics }: RecipeStep) {
  const directory = await mkdtemp(join(tmpdir(), "grpo-bench-"));
  const measured = {
    traces: await seconds(() => writeStep(join(directory, "steps"), { step: 0, traces, log: { ...log, metrics } })),
    checkpoint: await seconds(() => writeCheckpoint(directory, 1, checkpointTensors(learner), {})),
  };
  await rm(directory, { recursive: true });
  return measured;
}

async function seconds(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return (performance.now() - start) / 1000;
}

/** Of each number by itself. */
function medians<T extends Readonly<Record<string, number>>>(rounds: readonly T[]): T {
  const median = (name: string): number =>
    rounds.map((round) => round[name]!).sort((a, b) => a - b)[rounds.length >> 1]!;
  return Object.fromEntries(Object.keys(rounds[0]!).map((name) => [name, median(name)])) as T;
}
