// The whole model against PyTorch: hidden states, logits, loss, every gradient; greedy tokens; packing to the bit.
import { join } from "node:path";
import { type Device, linear, mean, negate, noGrad, openDevice, record, scope, type Tensor } from "@iapo/tensor-core";
import { relativeDifference } from "@iapo/tensor-core/testing";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Session } from "../src/generation/session.ts";
import type { QwenVLModel } from "../src/model/model.ts";
import { packGroups } from "../src/model/pack.ts";
import { type Golden, loadGolden } from "./support/golden.ts";
import { labeled } from "./support/labeled.ts";
import { imagesOf, loadNano, nanoDirectory, sequenceOf } from "./support/nano.ts";

const TOLERANCE = 1e-4;
let device: Device;
let model: QwenVLModel;
let golden: Golden;

beforeAll(async () => {
  device = await openDevice();
  golden = await loadGolden(join(nanoDirectory, "golden.safetensors"));
  model = await loadNano(device, { trainable: () => true });
});
afterAll(() => {
  model.dispose();
  expect(device.memory().liveBytes).toBe(0);
  device.close();
});

async function expectClose(tensor: Tensor, name: string): Promise<void> {
  const values = await tensor.values();
  const difference = relativeDifference(values, golden(name).values);
  expect(difference, name).toBeLessThan(TOLERANCE);
}

test("hidden states, vision embeddings and logits", async () => {
  const sequence = sequenceOf(golden, "A", 0, imagesOf(golden, "A"));
  const uploaded = model.upload(packGroups(model.config, [{ prompt: sequence, responses: [] }]));
  const { visual, logits, hidden } = noGrad(() =>
    scope(() => {
      const hidden = model.hiddenStates(model.embed(uploaded), uploaded);
      return { visual: model.vision(uploaded)!.merged, logits: linear(hidden.at(-1)!, model.head), hidden };
    }),
  );
  await expectClose(visual, "A.vision_embeds");
  await expectClose(logits, "A.logits");
  for (const [layer, tensor] of hidden.entries()) await expectClose(tensor, `A.hidden.${layer}`);
  expect(hidden).toHaveLength(4);
  for (const tensor of [visual, logits, ...hidden]) tensor.dispose();
  model.release(uploaded);
});

test.each([false, true])("loss and every gradient (checkpointed: %s)", async (checkpoint) => {
  const sequence = sequenceOf(golden, "A", 0, imagesOf(golden, "A"));
  const batch = packGroups(model.config, [labeled(sequence, golden("A.labels").values)]);
  const uploaded = model.upload(batch);
  const sources = [...model.weights].map((weight) => weight.run);
  const { loss, gradients } = scope(() => {
    const recorded = record(sources, () =>
      scope(() => {
        const out = model.hidden(model.embed(uploaded, { checkpoint }), uploaded, { checkpoint });
        return negate(mean(model.logProbs(out, batch).logProb));
      }),
    );
    return { loss: recorded.value, gradients: recorded.backward(recorded.value) };
  });
  expect(Math.abs((await loss.item()) - golden("A.loss").values[0]!)).toBeLessThan(1e-5);
  for (const [i, weight] of [...model.weights].entries()) {
    const inMemory = weight.name.startsWith("visual.")
      ? `model.${weight.name}`
      : weight.name.replace("model.", "model.language_model.");
    await expectClose(gradients[i]!, `A.grad.${inMemory}`);
  }
  for (const tensor of [loss, ...gradients]) tensor.dispose();
  model.release(uploaded);
});

test("greedy tokens of two prompts in one batch", async () => {
  const images = imagesOf(golden, "B");
  const prompts = [0, 1].map((row) => sequenceOf(golden, "B", row, [images[row]!]));
  using session = await Session.open(model, prompts);
  const seeds = prompts.map(() => [0, 0] as const);
  const stop = { ids: [], maxTokens: 12 };
  const turns = await session.generate({ samples: 1, sampling: { temperature: 0 }, seeds, stop });
  expect(turns.flatMap((turn) => [...turn.tokens])).toEqual([...golden("B.greedy").values]);
});

test("a packed batch gives the bits of single runs", async () => {
  const images = imagesOf(golden, "B");
  const sequences = [
    sequenceOf(golden, "A", 0, imagesOf(golden, "A")),
    ...[0, 1].map((row) => sequenceOf(golden, "B", row, [images[row]!])),
  ];
  const run = async (prompts: typeof sequences) => {
    const uploaded = model.upload(
      packGroups(
        model.config,
        prompts.map((prompt) => ({ prompt, responses: [] })),
      ),
    );
    using out = noGrad(() => scope(() => model.hidden(model.embed(uploaded), uploaded)));
    model.release(uploaded);
    return [...new Uint32Array((await out.values()).buffer)];
  };
  const together = await run(sequences);
  const single: number[] = [];
  for (const sequence of sequences) single.push(...(await run([sequence])));
  expect(together).toEqual(single);
});
