// Steps of supervised training with pictures, all weights trained: losses and gradients' norms by ours and by PyTorch's AdamW over transformers. Single
// weights are not compared: Adam makes a whole step of a gradient that is nothing but rounding.
import { Learner, supervisedStep } from "@iapo/grpo";
import { teacherDirectory } from "@iapo/nano-vl";
import { encodeConversation, loadWeights, QwenVLModel, QwenVLPolicy } from "@iapo/qwen-vl-model";
import { loadConfig } from "@iapo/qwen-vl-model/config";
import { loadProcessor } from "@iapo/qwen-vl-model/processor";
import type { Trajectory } from "@iapo/rollout-trace";
import { openDevice } from "@iapo/tensor-core";
import { caption, createNanoCharts } from "@iapo/vqa-tasks/nano";
import { expect, test } from "vitest";
import { probeOf } from "../probes.ts";
import { figure, relative, runPython } from "../python.ts";

interface Answer {
  readonly losses: readonly number[];
  readonly norms: readonly number[];
}

const [STEPS, BATCH] = [24, 8];
const optimizer = { betas: [0.9, 0.98], epsilon: 1e-8, weightDecay: 0.05 } as const;
const maxNorm = 1;
const rate = (step: number): number => 1e-3 * Math.min(1, (step + 1) / 10);

test("steps of AdamW on captions of charts, their words in another order than the model knows", async () => {
  using device = await openDevice();
  const config = await loadConfig(teacherDirectory);
  const weights = await loadWeights(device, config, teacherDirectory, { dtype: "f32", trainable: () => true });
  const policy = new QwenVLPolicy(new QwenVLModel(config, weights), await loadProcessor(teacherDirectory));
  const charts = await createNanoCharts({ seed: 3, names: "words" });
  const learner = new Learner(policy, { learningRate: rate, maxNorm, optimizer });
  const losses: number[] = [];
  const norms: number[] = [];
  const batches: object[][] = [];
  for (let step = 0; step < STEPS; step++) {
    const made = await Promise.all(Array.from({ length: BATCH }, (_, i) => example(step * BATCH + i)));
    const { loss, gradientNorm } = await supervisedStep(
      learner,
      made.map(({ trajectory }) => trajectory),
    );
    losses.push(loss);
    norms.push(gradientNorm);
    batches.push(made.map(({ theirs }) => theirs));
  }
  const theirs = await runPython<Answer>("training", {
    ...{ directory: teacherDirectory, batches, maxNorm, ...optimizer },
    learningRates: Array.from({ length: STEPS }, (_, step) => rate(step)),
  });

  expect(theirs.losses.at(-1)).toBeLessThan(0.5 * (theirs.losses[0] ?? 0)); // there was something to learn
  for (const [name, ours, expected] of [
    ["losses", losses, theirs.losses],
    ["norms of gradients", norms, theirs.norms],
  ] as const) {
    const error = relative(ours, expected);
    figure(`transformers and AdamW, ${STEPS} steps, ${name}`, error);
    expect(error, name).toBeLessThan(5e-3);
  }
  learner.dispose();

  /** Chart `index`'s caption behind its picture: the place of what was written is where both sides begin to count. */
  async function example(index: number): Promise<{ trajectory: Trajectory; theirs: object }> {
    const { image, text } = await caption(charts, "train", index);
    const backward = text.trim().split(" ").reverse().join(" ");
    const turn = policy.transcribe({ freshPrompt: true, blocks: [{ id: "image", kind: "image", image }] }, backward);
    const prompt = await encodeConversation(policy.processor, [{ role: "user", content: [{ image }] }]);
    const first = turn.lossMask.indexOf(1);
    expect([...turn.tokens.subarray(0, first)]).toEqual([...prompt.tokens]);
    return {
      trajectory: { turns: [turn] },
      theirs: { prompt: probeOf(prompt), written: [...turn.tokens.subarray(first)] },
    };
  }
});
