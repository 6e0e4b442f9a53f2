// A prompt computed once for its group gives the gradients of a prompt computed for every response.
import { openDevice, record, scope, type Tensor } from "@iapo/tensor-core";
import { relativeDifference } from "@iapo/tensor-core/testing";
import { expect, test } from "vitest";
import { knownConfigs } from "../src/config.ts";
import { QwenVLModel } from "../src/model/model.ts";
import { type PackedBatch, packGroups } from "../src/model/pack.ts";
import { initializeWeights } from "../src/weights/initialize.ts";
import { type GroupShape, groupOf, unshared } from "./support/group.ts";

/** The widths of mini, fewer layers. */
const config = {
  ...knownConfigs.mini,
  text: { ...knownConfigs.mini.text, numHiddenLayers: 2 },
  vision: { ...knownConfigs.mini.vision, depth: 2, fullAttentionBlocks: [1] },
};

const shapes: Record<string, GroupShape> = {
  "text behind a prompt with an image": { prompt: 150, response: 20, responses: 3, image: [1, 8, 12] },
  "an edited image in each response": { prompt: 100, response: 14, responses: 3, image: [1, 8, 8], edited: [1, 4, 8] },
};

/** Log-probs and gradients by every weight of a loss that weighs each token differently. */
async function passOf(model: QwenVLModel, batch: PackedBatch): Promise<{ logProb: Float32Array; gradients: Tensor[] }> {
  const count = batch.targetIds.length;
  const { logProb, gradients } = scope(() => {
    const factors = model.device.tensor(
      Float32Array.from({ length: count }, (_, i) => 1 + Math.cos(i)),
      [count],
    );
    const uploaded = model.upload(batch);
    const recorded = record(
      [...model.weights].map(({ run }) => run),
      () => scope(() => model.logProbs(model.hidden(model.embed(uploaded), uploaded), batch).logProb),
    );
    return { logProb: recorded.value, gradients: recorded.backward([[recorded.value, factors]]) };
  });
  const values = (await logProb.values()) as Float32Array;
  logProb.dispose();
  return { logProb: values, gradients };
}

test.each(Object.entries(shapes))("%s", async (_, shape) => {
  using device = await openDevice();
  const model = new QwenVLModel(config, initializeWeights(device, config, [3, 4]));
  const liveBytes = device.memory().liveBytes;
  const group = groupOf(config, shape);
  const together = await passOf(model, packGroups(config, [group]));
  const apart = await passOf(model, packGroups(config, unshared(group)));
  expect(together.logProb).toEqual(apart.logProb); // to the bit
  for (const [i, { name }] of [...model.weights].entries()) {
    const [got, expected] = [await together.gradients[i]!.values(), await apart.gradients[i]!.values()];
    expect(
      expected.some((value) => value !== 0),
      name,
    ).toBe(true);
    expect(relativeDifference(got as Float32Array, expected as Float32Array), name).toBeLessThan(1e-5);
  }
  for (const gradient of [...together.gradients, ...apart.gradients]) gradient.dispose();
  expect(device.memory().liveBytes).toBe(liveBytes);
  model.dispose();
});
