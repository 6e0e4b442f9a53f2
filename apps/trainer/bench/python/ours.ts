// The worker of our own stack: a GRPO step on the tasks that it is told, its parts timed; and the loss of given traces.
import { createInterface } from "node:readline";
import { type GrpoOptions, grpoRecipe, rollout } from "@iapo/grpo";
import { computeLoss, type LossOptions, lossPreset, spreadOverTokens } from "@iapo/grpo/math";
import { QwenVLPolicy } from "@iapo/qwen-vl-model";
import { deriveSeed, openDevice } from "@iapo/tensor-core";
import { pngDataUrl } from "@iapo/visual-tools/sharp";
import type { VisualTask } from "@iapo/vqa-tasks";
import { chartEnvironment, openCharts } from "./episodes.ts";
import { type Product, products } from "./products.ts";
import { rates, type Settings } from "./settings.ts";

const { directory, groups, samples, maxTokens } = JSON.parse(process.argv[2] ?? "") as Settings;
const device = await openDevice();
const policy = await QwenVLPolicy.load(device, { directory }, { dtype: "f32" });
const charts = await openCharts();
let tasks: VisualTask[] = [];

const loss: LossOptions = { ...lossPreset("grpo"), clip: { low: 0.2, high: 0.2 }, aggregation: "sequence" };
const options: GrpoOptions = {
  seed: 1,
  groups,
  rollout: { samples, sampling: { temperature: 1 }, maxTokens },
  advantage: { kind: "grpo", scale: "group", epsilon: 1e-4 },
  loss,
};
const recipe = grpoRecipe(
  {
    policy,
    environment: chartEnvironment,
    tasks: { length: groups, task: (index: number) => tasks[index] as VisualTask },
    learner: {
      learningRate: () => rates.learningRate,
      maxNorm: rates.maxGradNorm,
      optimizer: { betas: rates.betas, weightDecay: 0 },
    },
  },
  options,
);

interface Order {
  readonly step: number;
  readonly tasks: readonly number[];
  readonly shapes: readonly Product[];
}

const orders: Record<string, (order: Order) => Promise<object>> = {
  products: ({ shapes }) => products(device, shapes),
  async step(order) {
    tasks = await Promise.all(order.tasks.map(async (index) => (await charts.chart("train", index)).task));
    const start = performance.now();
    const cpu = process.cpuUsage();
    const made = await recipe.step({ step: order.step, cursor: 0 });
    const seconds = (performance.now() - start) / 1000;
    const { user, system } = process.cpuUsage(cpu);
    const { traces } = made;
    const { rollout: rolled = 0, score = 0, update = 0 } = made.timings;
    return {
      seconds,
      ...{ rollout: rolled / 1000, score: score / 1000, update: update / 1000 },
      tokens: traces.reduce((sum, { turns }) => sum + turns.reduce((all, { logProbs }) => all + logProbs.length, 0), 0),
      rewards: traces.map(({ rewards }) => rewards.outcome),
      cpu: (user + system) / 1e6,
      peak: process.resourceUsage().maxRSS * 1024,
    };
  },
  /** Traces of the policy as it is, for others, with another one before the update; and their loss here. */
  async loss(order) {
    const drawn = await Promise.all(order.tasks.map(async (index) => (await charts.chart("train", index)).task));
    const how = { samples, sampling: { temperature: 1 }, maxTokens };
    const seed = (...at: number[]) => deriveSeed("bench", ...at);
    const { groups: sampled } = await rollout(policy, chartEnvironment, drawn, how, { step: 0, firstGroup: 0, seed });
    const traces = sampled.flat();
    const grouped = [...Map.groupBy(traces, ({ group }) => group).values()];
    const packed = policy.pack(grouped);
    const { logProb, entropy } = packed.logProbs();
    const logProbs = (await logProb.values()) as Float32Array;
    for (const tensor of [logProb, entropy]) tensor.dispose();
    packed.dispose();
    const lengths = grouped.flat().map(({ turns }) => turns.reduce((sum, turn) => sum + turn.logProbs.length, 0));
    const offsets = Int32Array.from({ length: lengths.length + 1 }, (_, i) =>
      lengths.slice(0, i).reduce((sum, length) => sum + length, 0),
    );
    const oldLogProbs = logProbs.map((value, i) => value + 0.3 * Math.sin(i));
    const advantages = lengths.map((_, i) => Math.cos(i));
    const batch = { offsets, mask: new Uint8Array(logProbs.length).fill(1), logProbs, oldLogProbs };
    const { loss: value } = computeLoss({ batch, advantages: spreadOverTokens(advantages, offsets) }, loss);
    const given = await Promise.all(
      grouped.flat().map(async ({ turns }, i) => {
        const [first, ...others] = turns.map((turn) => ({
          tokens: [...turn.tokens],
          mask: [...turn.lossMask],
          positions: [...(turn.positions ?? [])],
        }));
        if (!first) throw new Error("a trace without a turn");
        const prompt = first.mask.indexOf(1);
        const join = <K extends "tokens" | "mask" | "positions">(key: K): number[] =>
          [first, ...others].flatMap((turn) => turn[key]);
        return {
          prompt: first.tokens.slice(0, prompt),
          completion: join("tokens").slice(prompt),
          mask: join("mask").slice(prompt),
          positions: join("positions"),
          old: [...oldLogProbs.subarray(offsets[i], offsets[i + 1])],
          advantage: advantages[i],
          images: await Promise.all(
            turns.flatMap(({ images }) => images).map(async (image) => (await pngDataUrl(image)).split(",")[1]),
          ),
        };
      }),
    );
    return { loss: value, traces: given };
  },
};

for await (const line of createInterface(process.stdin)) {
  const order = JSON.parse(line);
  const work = orders[order.do];
  if (!work) throw new Error(`no order ${order.do}`);
  console.log(JSON.stringify({ answer: await work(order) }));
}
recipe.dispose();
policy.model.dispose();
device.close();
