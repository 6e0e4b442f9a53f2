// The larger teacher begins as the smaller one: what it is grown into says the same, and what is new can learn.
import { sumGradients } from "@iapo/grpo";
import { baseDirectory, teacherDirectory } from "@iapo/nano-vl";
import { loadWeights, QwenVLModel, QwenVLPolicy } from "@iapo/qwen-vl-model";
import { loadConfig, type QwenVLConfig } from "@iapo/qwen-vl-model/config";
import { loadProcessor } from "@iapo/qwen-vl-model/processor";
import { deriveSeed, dot, openDevice } from "@iapo/tensor-core";
import { expect, test } from "vitest";
import { stageExamples } from "../../recipes/nano/examples.ts";
import { grownWeights, largeConfig } from "../../recipes/nano/grow.ts";
import { stagesOf } from "../../recipes/nano/stages.ts";

test("a grown teacher says what the teacher says, and its new layer gets a gradient", async () => {
  using device = await openDevice();
  const config = await loadConfig(baseDirectory);
  const processor = await loadProcessor(baseDirectory);
  const small = new QwenVLModel(config, await loadWeights(device, config, teacherDirectory, { dtype: "f32" }));
  const large = largeConfig(config);
  const grown = await grownWeights(device, small, large, deriveSeed(1, "nano-vl"));
  const policyOf = (model: QwenVLModel): QwenVLPolicy => new QwenVLPolicy(model, processor);
  const teacher = policyOf(small);

  const examples = await stageExamples(teacher, 1, stagesOf.student.at(-1)!); // some of them are wrong, hence unlikely
  const written = await Promise.all(Array.from({ length: 8 }, (_, number) => examples.task(number)));
  const logProbsOf = async (policy: QwenVLPolicy): Promise<number[]> => {
    const packed = policy.pack([written]);
    const { logProb } = packed.logProbs();
    const values = await logProb.values();
    packed.dispose();
    return Array.from(values);
  };
  const expected = await logProbsOf(teacher);
  expect(Math.min(...expected)).toBeLessThan(-5);
  const largest = (apart: (value: number, at: number) => number): number => Math.max(...expected.map(apart));

  // A norm over twice the width, half of it zeros, adds its epsilon to half the mean square. Without that, only rounding is left.
  const exact = await logProbsOf(policyOf(new QwenVLModel(halfEpsilon(large), grown)));
  expect(largest((value, at) => Math.abs(value - exact[at]!))).toBeLessThan(2e-5);
  const larger = policyOf(new QwenVLModel(large, grown));
  const actual = await logProbsOf(larger);
  expect(largest((value, at) => Math.abs(Math.exp(value) - Math.exp(actual[at]!)))).toBeLessThan(2e-4);

  const { gradients } = await sumGradients(larger, [
    { groups: [written], loss: ({ logProb }) => dot(logProb, logProb) },
  ]);
  const added = new RegExp(`^model\\.layers\\.${config.text.numHiddenLayers}\\..*(o_proj|down_proj)\\.weight$`);
  const writers = gradients.filter((_, i) => added.test(larger.parameters[i]!.name));
  expect(writers).toHaveLength(2);
  for (const gradient of writers) expect((await gradient.values()).some((value) => value !== 0)).toBe(true);
});

function halfEpsilon({ text, vision, ...rest }: QwenVLConfig): QwenVLConfig {
  return {
    ...rest,
    text: { ...text, rmsNormEps: text.rmsNormEps / 2 },
    vision: { ...vision, normEps: vision.normEps / 2 },
  };
}
