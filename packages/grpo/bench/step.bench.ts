// A GRPO step of a nano model on chart tasks, 6 groups of 8 responses: time by part, the share outside of GPU kernels, and what sharing
// prompts gains. Prints `{ name, rows }` as JSON; times are medians of five steps after a warm-up; `correct`: every ratio was 1 to the bit.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openDevice } from "@iapo/tensor-core";
import { writeCheckpoint } from "../src/checkpoint/checkpoints.ts";
import { type Environment, type GrpoOptions, grpoRecipe, type Recipe } from "../src/index.ts";
import { lossPresets } from "../src/math/index.ts";
import { checkpointTensors } from "../src/run/state.ts";
import { chartTasks, environment, nanoPolicy } from "../test/support/nano.ts";

const ROUNDS = 5;
const [GROUPS, SAMPLES] = [6, 8];

const device = await openDevice();
const policy = await nanoPolicy(device);
const all = await chartTasks(GROUPS * (ROUNDS + 2));
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
  loss: lossPresets.dapo,
};
const parts = { policy, environment: timed, learner: { learningRate: () => 0 } };
const shared = grpoRecipe({ ...parts, tasks: { length: all.length, task: (index) => all[index]! } }, options);
/** The same responses, each behind a prompt of its own. */
const apart = grpoRecipe(
  { ...parts, tasks: { length: all.length * SAMPLES, task: (index) => all[Math.floor(index / SAMPLES)]! } },
  { ...options, groups: GROUPS * SAMPLES, rollout: { ...options.rollout, samples: 1 } },
);

const together = await measure(shared);
const separate = await measure(apart);
const kernels = device.gpu?.features.has("timestamp-query")
  ? await device.profile(() => shared.step({ step: 0, cursor: 0 }).then(() => {}))
  : [];
const kernelSeconds = kernels.reduce((sum, { milliseconds }) => sum + milliseconds, 0) / 1000;
const checkpoint = await measureCheckpoint(shared);
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
      row("steps of the environment, summed over episodes", "s", together.tools),
      row("update", "s", together.update),
      row("checkpoint", "s", checkpoint),
      row("share outside of GPU kernels", "of a step", Math.max(0, 1 - kernelSeconds / together.step)),
      row("prompts not shared: step", "s", separate.step),
      row("gain of shared prompts", "times", separate.step / together.step),
    ],
  }),
);
for (const recipe of [shared, apart]) recipe.dispose();
policy.model.dispose();
device.close();

async function measure(recipe: Recipe) {
  const measured = { step: [] as number[], rollout: [] as number[], update: [] as number[], tools: [] as number[] };
  let onPolicy = true;
  for (let round = 0; round <= ROUNDS; round++) {
    toolSeconds = 0;
    const start = performance.now();
    const { metrics, timings } = await recipe.step({
      step: round,
      cursor: round * GROUPS * (recipe === apart ? SAMPLES : 1),
    });
    if (round === 0) continue;
    measured.step.push((performance.now() - start) / 1000);
    measured.rollout.push(timings.rollout! / 1000);
    measured.update.push(timings.update! / 1000);
    measured.tools.push(toolSeconds);
    onPolicy &&= metrics["actor/ppo_kl"] === 0;
  }
  const [step, rollout, update, tools] = Object.values(measured).map(
    (times) => times.sort((a, b) => a - b)[ROUNDS >> 1]!,
  );
  return { step: step!, rollout: rollout!, update: update!, tools: tools!, correct: onPolicy };
}

async function measureCheckpoint({ learner }: Recipe): Promise<number> {
  const directory = await mkdtemp(join(tmpdir(), "grpo-bench-"));
  const start = performance.now();
  await writeCheckpoint(directory, 1, checkpointTensors(learner), {});
  const seconds = (performance.now() - start) / 1000;
  await rm(directory, { recursive: true });
  return seconds;
}
