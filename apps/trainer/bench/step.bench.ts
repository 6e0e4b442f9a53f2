// A step of GRPO beside steps of IAPO, by part: the nano recipes' models and loop (12 groups of 8 responses in two turns), and the mini model on prompts of
// 1,000 tokens (one group of 8 responses of one turn). One step is repeated, with the same bits: the learning rate is 0, so all see the same rollouts.
// Prints `{ name, rows }` as JSON.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { grpoRecipe, learnerOptions, type Recipe } from "@iapo/grpo";
import { grpoSettingsSchema } from "@iapo/grpo/config";
import { iapoRecipe } from "@iapo/iapo";
import { iapoSettingsSchema } from "@iapo/iapo/config";
import { recipes } from "@iapo/iapo/recipes";
import { studentDirectory, teacherDirectory } from "@iapo/nano-vl";
import { QwenVLPolicy } from "@iapo/qwen-vl-model";
import { openDevice } from "@iapo/tensor-core";
import { createEnvironment } from "@iapo/vqa-tasks";
import { createNanoCharts, type NanoCharts } from "@iapo/vqa-tasks/nano";
import { writeMini } from "./mini.ts";
import { type Row, timeInTurns } from "./step/in-turns.ts";
import { eightCalls, ofOneTurn, sayCalls } from "./step/said-calls.ts";

const ROUNDS = Number(process.env.ROUNDS ?? 7);
/** Pixels of a side that are 900 tokens, which a question and the compact prompt take beyond 1,000. */
const LARGE = 840;
/** In a call, so that it is 64 tokens. */
const NAMES = 21;

const device = await openDevice();
const environment = createEnvironment({ options: { prompt: "compact" } });
const loop = grpoSettingsSchema.parse(recipes.get("nano-grpo")?.config.grpo ?? {});
const folder = await mkdtemp(join(tmpdir(), "step-"));
try {
  const rows = [...(await nano()), ...(await mini(join(folder, "mini")))];
  console.log(JSON.stringify({ name: "step", rows }));
} finally {
  await rm(folder, { recursive: true });
}
device.close();

async function nano(): Promise<Row[]> {
  const policy = await QwenVLPolicy.load(device, { directory: studentDirectory });
  const teacher = await QwenVLPolicy.load(device, { directory: teacherDirectory }, { frozen: true });
  const charts = await createNanoCharts({ seed: 1, names: "words" });
  const common = { policy, environment, ...ofCharts(charts) };
  const withTeacher = (settings: object): Recipe => besideTeacher(common, teacher, loop, settings);
  const rows = await timeInTurns(
    device,
    {
      GRPO: grpoRecipe(common, loop),
      "occlusion, K 9": withTeacher({ preset: "occlusion" }),
      "anchored, K 9": withTeacher({ preset: "anchored", partition: "per_tool" }),
      "anchored, K 4 (the preset)": withTeacher({ preset: "anchored" }),
    },
    ROUNDS,
  );
  for (const { model } of [policy, teacher]) model.dispose();
  return rows;
}

async function mini(directory: string): Promise<Row[]> {
  await writeMini(directory);
  const wide = { maxPixels: LARGE ** 2 };
  const policy = await QwenVLPolicy.load(device, { directory }, wide);
  const teacher = await QwenVLPolicy.load(device, { directory }, { ...wide, frozen: true });
  const charts = await createNanoCharts({ seed: 1, names: "words", size: LARGE });
  const { task } = await charts.chart("train", 0);
  const calls = eightCalls(charts.names.train.slice(0, NAMES));
  const prompt = { freshPrompt: true, blocks: environment.prompt(task) };
  const [asked, written] = [policy.countTokens(prompt), calls.map((call) => tokensOf(policy, call))];
  sayCalls(policy, calls);
  const one = { ...loop, groups: 1, rollout: { ...loop.rollout, maxTokens: 64 } };
  const common = { policy, environment: ofOneTurn(environment), ...ofCharts(charts) };
  const name = (words: string): string =>
    `mini, P ${asked}, R ${Math.min(...written)} to ${Math.max(...written)}, n 8, ${words}`;
  const rows = await timeInTurns(
    device,
    {
      [name("GRPO")]: grpoRecipe(common, one),
      [name("anchored, K 4 (the preset)")]: besideTeacher(common, teacher, one, { preset: "anchored" }),
    },
    ROUNDS,
  );
  for (const { model } of [policy, teacher]) model.dispose();
  return rows;

  function tokensOf(of: QwenVLPolicy, call: string): number {
    return of.transcribe(prompt, call).logProbs.length;
  }
}

function ofCharts(charts: NanoCharts) {
  return {
    tasks: { length: 1000, task: async (index: number) => (await charts.chart("train", index)).task },
    learner: { ...learnerOptions(loop.optimizer), learningRate: () => 0 },
  };
}

function besideTeacher(
  common: Parameters<typeof grpoRecipe>[0] & { readonly policy: QwenVLPolicy },
  teacher: QwenVLPolicy,
  options: typeof loop,
  settings: object,
): Recipe {
  return iapoRecipe(
    {
      ...common,
      student: common.policy.differentiable(),
      teacher: { model: teacher.differentiable(), writer: { id: "bench", policy: teacher } },
    },
    { ...options, iapo: iapoSettingsSchema.parse(settings) },
  );
}
