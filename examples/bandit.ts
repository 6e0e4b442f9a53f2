// GRPO on an environment and a policy of one's own, without pictures or a language model: which of eight arms pays? node examples/bandit.ts
import { grpoRecipe, learnerOptions, type TrainablePolicy, train } from "@iapo/grpo";
import { grpoSettingsSchema } from "@iapo/grpo/config";
import type { Environment, Turn } from "@iapo/rollout-trace";
import { broadcastTo, logProbs, openDevice, reshape, sample, scope } from "@iapo/tensor-core";
import { z } from "zod";

const environment: Environment<{ pays: number }> = {
  contentSchema: z.strictObject({ pays: z.int() }),
  prompt: () => [{ id: "query", kind: "query", text: "Which arm?\n" }],
  step: async ({ content }, { text }) => ({ done: { rewards: { outcome: Number(text) === content.pays ? 1 : 0 } } }),
};

const device = await openDevice();
const hidden = device.tensor([1], [1, 1]);
const logits = device.tensor(new Float32Array(8), [8, 1]); // of the arms: all that this policy knows
const policy: TrainablePolicy = {
  device,
  version: 0,
  parameters: [{ name: "logits", run: logits, master: logits }],
  refresh: () => {},
  reference: () => ({ ...policy, dispose: () => {} }), // asked for where the loss has KL
  open: async (prompts) => ({
    async generate({ samples, seeds, sampling: { temperature } }) {
      const rows = prompts.length * samples;
      const { ids, logProbs } = scope(() => {
        const keys = device.tensor(Uint32Array.from(seeds.flat()), [rows, 2], "u32");
        return sample(broadcastTo(reshape(logits, [1, 8]), [rows, 8]), { temperature, seeds: keys, position: 0 });
      });
      const [arms, written] = [await ids.read(), Float32Array.from(await logProbs.values())];
      for (const tensor of [ids, logProbs]) tensor.dispose();
      const marks = { blocks: Int16Array.of(0, -1), lossMask: Uint8Array.of(0, 1), images: [], bannedIds: [] };
      return Array.from(arms, (arm, i): Turn => {
        const tokens = Int32Array.of(0, arm); // the prompt is one token, and so is the answer
        return { ...marks, tokens, logProbs: written.slice(i, i + 1), text: `${arm}`, temperature, freshPrompt: true };
      });
    },
    append: async () => [], // an episode has one turn
    close: () => {},
  }),
  pack(groups) {
    const targets = groups.flat().flatMap(({ turns }) => turns.map(({ tokens }) => tokens[1] ?? 0));
    return { logProbs: () => logProbs(hidden, logits, { rows: targets.map(() => 0), targets }), dispose: () => {} };
  },
};

const settings = grpoSettingsSchema.parse({ steps: 20, groups: 4, optimizer: { learningRate: 0.3 } });
const task = (index: number) => ({ id: `${index}`, source: "arms", split: "train", content: { pays: 5 } });
const parts = { policy, environment, tasks: { length: 4, task }, learner: learnerOptions(settings.optimizer) };
const { steps, checkpoint } = settings;
const onMetrics = (step: number, metrics: Readonly<Record<string, number>>): void => {
  if (step % 5 === 4) console.log(`step ${step + 1}: right ${metrics["reward/outcome"]?.toFixed(2)}`);
};
const recipe = grpoRecipe(parts, settings);
await train(recipe, { directory: "run", steps, checkpoint, settings, onMetrics });
recipe.dispose();
device.close();
