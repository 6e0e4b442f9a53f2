// A GRPO step of a nano model on chart tasks in two turns, 6 groups of 8 responses, with KL: time by part, the share outside of GPU kernels, and
// what sharing prompts gains. Prints `{ name, rows }` as JSON. One step is repeated, with the same bits: the learning rate is 0. Times are medians
// of five after a warm-up; `correct`: every ratio was 1 to the bit.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { writeStep } from "@iapo/rollout-trace/files";
import { openDevice } from "@iapo/tensor-core";
import { writeCheckpoint } from "../src/checkpoint/checkpoints.ts";
import { type Environment, type GrpoOptions, grpoRecipe, type Recipe, type RecipeStep } from "../src/index.ts";
import { lossPresets } from "../src/math/index.ts";
import { checkpointTensors } from "../src/run/state.ts";
import { chartTasks, environment, nanoPolicy } from "../test/support/nano.ts";

const ROUNDS = 5;
const [GROUPS, SAMPLES] = [6, 8];
const PLACE = { step: 0, cursor: 0 };

const device = await openDevice();
const policy = await nanoPolicy(device);
const all = await chartTasks(GROUPS);
let toolSeconds = 0;
const timed: Environment = {
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
  loss: { ...lossPresets.dapo, kl: { where: "loss", estimator: "k3", coefficient: 0.01 } },
};
const parts = { policy, environment: timed, learner: { learningRate: () => 0 } };
const shared = grpoRecipe({ ...parts, tasks: { length: all.length, task: (index) => all[index]! } }, options);
/** As many responses to the same tasks, each behind a prompt of its own. */
const apart = grpoRecipe(
  { ...parts, tasks: { length: all.length * SAMPLES, task: (index) => all[Math.floor(index / SAMPLES)]! } },
  { ...options, groups: GROUPS * SAMPLES, rollout: { ...options.rollout, samples: 1 } },
);

const together = await measure(shared);
const separate = await measure(apart);
const written = await measureWriting(shared, together.made);
const outside = await shareOutsideKernels(shared);
const correct = together.correct && separate.correct;
const row = (name: string, unit: string, ours: number) => ({
  case: name,
  unit,
  ours: Number(ours.toPrecision(3)),
  correct,
});
console.log(
  JSON.stringify({
    name: "step",
    rows: [
      row("step", "s", together.step),
      row("rollout", "s", together.rollout),
      row("tools and answers, summed over episodes, within the rollout", "s", together.tools),
      row("scoring by the reference", "s", together.score),
      row("update", "s", together.update),
      row("traces written", "s", written.traces),
      row("checkpoint", "s", written.checkpoint),
      ...(outside === undefined ? [] : [row("share outside of GPU kernels", "of a step", outside)]),
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
    const start = performance.now();
    made = await recipe.step(PLACE);
    const step = (performance.now() - start) / 1000;
    const [rollout, score, update] = ["rollout", "score", "update"].map((part) => made.timings[part]! / 1000);
    rounds.push({ step, rollout: rollout!, score: score!, update: update!, tools: toolSeconds });
    onPolicy &&= made.metrics["actor/ppo_kl"] === 0;
  }
  const median = (part: keyof (typeof rounds)[number]): number =>
    rounds.map((round) => round[part]).sort((a, b) => a - b)[ROUNDS >> 1]!;
  return {
    step: median("step"),
    rollout: median("rollout"),
    score: median("score"),
    update: median("update"),
    tools: median("tools"),
    correct: onPolicy,
    made,
  };
}

/**
 * 1 - time of the kernels of a step / time of the same step when nothing measures its kernels, the one beside the other in each round; undefined
 * where the adapter tells no times.
 */
async function shareOutsideKernels(recipe: Recipe): Promise<number | undefined> {
  if (!device.gpu?.features.has("timestamp-query")) return undefined;
  const shares: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const start = performance.now();
    await recipe.step(PLACE);
    const whole = performance.now() - start;
    const kernels = await device.profile(() => recipe.step(PLACE).then(() => {}));
    shares.push(1 - kernels.reduce((sum, { milliseconds }) => sum + milliseconds, 0) / whole);
  }
  return shares.sort((a, b) => a - b)[ROUNDS >> 1]!;
}

async function measureWriting({ learner }: Recipe, { traces, log, metrics }: RecipeStep) {
  const directory = await mkdtemp(join(tmpdir(), "grpo-bench-"));
  const seconds = async (work: () => Promise<unknown>): Promise<number> => {
    const start = performance.now();
    await work();
    return (performance.now() - start) / 1000;
  };
  const measured = {
    traces: await seconds(() => writeStep(join(directory, "steps"), { step: 0, traces, log: { ...log, metrics } })),
    checkpoint: await seconds(() => writeCheckpoint(directory, 1, checkpointTensors(learner), {})),
  };
  await rm(directory, { recursive: true });
  return measured;
}
