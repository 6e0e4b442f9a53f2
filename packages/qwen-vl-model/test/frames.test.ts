// An image whose two frames are equal is embedded by one frame and the sum of both frames' weights: the same values and gradients.
import { type Device, openDevice, record, scope, square, type Tensor } from "@iapo/tensor-core";
import { relativeDifference } from "@iapo/tensor-core/testing";
import { afterAll, beforeAll, expect, test } from "vitest";
import { towerOf } from "../src/families/towers.ts";
import type { QwenVLModel } from "../src/model/model.ts";
import { type EncodedImage, packGroups } from "../src/model/pack.ts";
import { repeatFrames } from "../src/processor/frames.ts";
import type { ImagePatches } from "../src/processor/image.ts";
import { loadNano } from "./support/nano.ts";

let device: Device;
beforeAll(async () => {
  device = await openDevice();
});
afterAll(() => device.close());

const grid = [1, 4, 6] as const;

/** One frame, `[patch, channel, pixel]`. */
function patchesOf(model: QwenVLModel): ImagePatches {
  const { patchSize, inChannels } = model.config.vision;
  const values = Float32Array.from({ length: 24 * inChannels * patchSize ** 2 }, (_, i) => Math.sin(0.37 * i));
  return { values, frames: 1, grid };
}

test.each(["f32", "bf16"] as const)("%s weights: one frame gives what two equal ones give", async (dtype) => {
  const model = await loadNano(device, { dtype });
  const still = patchesOf(model);
  const area = model.config.vision.patchSize ** 2;
  const whole = repeatFrames(still, 2, area);
  expect(whole.length).toBe(2 * still.values.length);
  const weight = model.weights.get("visual.patch_embed.proj.weight");
  const run = async (patches: Float32Array): Promise<[Float32Array, Float32Array | undefined]> => {
    const forward = (): Tensor => {
      const { vision } = model.config;
      const tower = towerOf(model.config);
      const input = tower.upload(device, vision, { patches, grids: [grid] });
      return tower.forward(model.parameters, vision, input, {}).merged;
    };
    const read: readonly Tensor[] = scope(() => {
      if (dtype === "bf16") return [forward()];
      const recorded = record([weight], () => scope(forward));
      return [recorded.value, ...recorded.backward([[recorded.value, square(recorded.value)]])];
    });
    const [rows, gradient] = await Promise.all(read.map((tensor) => tensor.values()));
    for (const tensor of read) tensor.dispose();
    return [rows as Float32Array, gradient as Float32Array | undefined];
  };
  const [expected, actual] = [await run(whole), await run(still.values)];
  expect(relativeDifference(actual[0], expected[0])).toBeLessThan(2e-6);
  if (dtype === "f32") expect(relativeDifference(actual[1]!, expected[1]!)).toBeLessThan(1e-5);
  model.dispose();
});

test("an image of several frames beside a still one: both are packed whole", async () => {
  const model = await loadNano(device);
  const area = model.config.vision.patchSize ** 2;
  const still = { ...patchesOf(model), id: "still" };
  const whole = { ...still, frames: 2, values: repeatFrames(still, 2, area).map((value) => -value), id: "whole" };
  const pack = (images: EncodedImage[]) => {
    const tokens = new Int32Array(6 * images.length).fill(model.config.tokens.image);
    const prompt = { tokens, positions: new Int32Array(3 * tokens.length), images };
    return packGroups(model.config, [{ prompt, responses: [] }]).vision?.patches;
  };
  expect(pack([still])).toEqual(still.values);
  const both = pack([whole, still])!;
  expect(both.subarray(0, whole.values.length)).toEqual(whole.values);
  expect(both.subarray(whole.values.length)).toEqual(repeatFrames(still, 2, area));
  expect([...repeatFrames(still, 2, area).subarray(0, area)]).toEqual([...still.values.subarray(0, area)]);
  expect([...repeatFrames(still, 2, area).subarray(area, 2 * area)]).toEqual([...still.values.subarray(0, area)]);
  model.dispose();
});
