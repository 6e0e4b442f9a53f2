// A step of GRPO beside steps of IAPO: the nano recipes' models and loop (12 groups of 8 responses), by part. The recipes take turns, so that what
// else the machine does meets them all; times are medians of the rounds after a warm-up. One step is repeated, with the same bits: the learning
// rate is 0, so all see the same rollouts. Prints `{ name, rows }` as JSON; `correct`: penalties of all rounds are equal to the bit.
import { grpoRecipe, learnerOptions, type Recipe, type RecipeStep } from "@iapo/grpo";
import { grpoSettingsSchema } from "@iapo/grpo/config";
import { studentDirectory, teacherDirectory } from "@iapo/nano-vl";
import { QwenVLPolicy } from "@iapo/qwen-vl-model";
import { openDevice } from "@iapo/tensor-core";
import { createEnvironment } from "@iapo/vqa-tasks";
import { createNanoCharts } from "@iapo/vqa-tasks/nano";
import { iapoSettingsSchema } from "../src/config.ts";
import { iapoRecipe } from "../src/index.ts";
import { nanoRecipes } from "../src/recipes/index.ts";

const ROUNDS = Number(process.env.ROUNDS ?? 7);
const PLACE = { step: 0, cursor: 0 };
const parts = ["rollout", "penalty", "update"] as const;

const device = await openDevice();
const policy = await QwenVLPolicy.load(device, { directory: studentDirectory });
const teacher = await QwenVLPolicy.load(device, { directory: teacherDirectory }, { frozen: true });
const charts = await createNanoCharts({ seed: 1, names: "words" });
const loop = grpoSettingsSchema.parse(nanoRecipes[0]?.config.grpo ?? {});
const common = {
  policy,
  environment: createEnvironment({ options: { prompt: "compact" } }),
  tasks: { length: 1000, task: async (index: number) => (await charts.chart("train", index)).task },
  learner: { ...learnerOptions(loop.optimizer), learningRate: () => 0 },
};
const withTeacher = (iapo: object): Recipe =>
  iapoRecipe(
    {
      ...common,
      student: policy.differentiable(),
      teacher: { model: teacher.differentiable(), writer: { id: "bench", policy: teacher } },
    },
    { ...loop, iapo: iapoSettingsSchema.parse(iapo) },
  );
const recipes: Readonly<Record<string, Recipe>> = {
  GRPO: grpoRecipe(common, loop),
  "occlusion, K 9": withTeacher({ preset: "occlusion" }),
  "anchored, K 9": withTeacher({ preset: "anchored", partition: "per_tool" }),
  "anchored, K 4 (the preset)": withTeacher({ preset: "anchored" }),
};

type Timed = Record<(typeof parts)[number] | "step" | "cpu", number[]>;
const times = new Map<string, Timed>();
const penalties = new Map<string, string>();
let correct = true;
for (const recipe of Object.values(recipes)) await recipe.step(PLACE);
for (let round = 0; round < ROUNDS; round++) {
  for (const [name, recipe] of Object.entries(recipes)) {
    const [start, before] = [performance.now(), cpuSeconds()];
    const made = await recipe.step(PLACE);
    await device.idle();
    const own: Timed = times.get(name) ?? { rollout: [], penalty: [], update: [], step: [], cpu: [] };
    times.set(name, own);
    own.step.push((performance.now() - start) / 1000);
    own.cpu.push(cpuSeconds() - before);
    for (const part of parts) own[part].push((made.timings[part] ?? 0) / 1000);
    const found = penaltiesOf(made);
    correct &&= (penalties.get(name) ?? found) === found;
    penalties.set(name, found);
  }
}
const row = (name: string, unit: string, ours: number) => ({
  case: name,
  unit,
  ours: Number(ours.toPrecision(3)),
  correct,
});
const rows = [...times].flatMap(([name, own]) => [
  row(`${name}: step`, "s", median(own.step)),
  ...parts.flatMap((part) => (part === "penalty" && name === "GRPO" ? [] : [row(`  ${part}`, "s", median(own[part]))])),
  row("  CPU time of all threads", "s", median(own.cpu)),
  ...(name === "GRPO"
    ? []
    : [
        row("  over GRPO, median of the rounds", "times", median(overGrpo(own, "step"))),
        row("  over GRPO in CPU time, median of the rounds", "times", median(overGrpo(own, "cpu"))),
      ]),
]);
console.log(JSON.stringify({ name: "step", rows }));
for (const recipe of Object.values(recipes)) recipe.dispose();
for (const { model } of [policy, teacher]) model.dispose();
device.close();

function penaltiesOf({ log }: RecipeStep): string {
  return JSON.stringify(log.samples.map(({ penalty }) => penalty));
}

function overGrpo(own: Timed, what: "step" | "cpu"): number[] {
  return own[what].map((seconds, round) => seconds / (times.get("GRPO")?.[what][round] ?? Number.NaN));
}

/** Of a software adapter all of the work, whatever else the machine does. */
function cpuSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
}
