// An image whose two frames are equal is embedded by one frame and the sum of both frames' weights: the same values and gradients.
import { type Device, openDevice, record, scope, square, type Tensor } from "@iapo/tensor-core";
import { relativeDifference } from "@iapo/tensor-core/testing";
import { afterAll, beforeAll, expect, test } from "vitest";
import { firstFrames } from "../src/model/frames.ts";
import type { QwenVLModel } from "../src/model/model.ts";
import { uploadVision, visionForward } from "../src/model/vision.ts";
import { loadNano } from "./support/nano.ts";

let device: Device;
beforeAll(async () => {
  device = await openDevice();
});
afterAll(() => device.close());

const grid = [1, 4, 6] as const;

/** Patches of `[channel, frame, pixel]`; in both frames `noise` of channel and pixel, but for the second frame's `extra`. */
function patchesOf(model: QwenVLModel, extra = 0): Float32Array {
  const { patchSize, inChannels } = model.config.vision;
  const area = patchSize ** 2;
  const width = inChannels * 2 * area;
  return Float32Array.from({ length: 24 * width }, (_, i) => {
    const [patch, channel, frame, pixel] = [
      Math.floor(i / width),
      Math.floor((i % width) / (2 * area)),
      Math.floor(i / area) % 2,
      i % area,
    ];
    return Math.sin(patch * 7.1 + channel * 3.3 + pixel * 0.37) + frame * extra;
  });
}

test.each(["f32", "bf16"] as const)("%s weights: one frame gives what two equal ones give", async (dtype) => {
  const model = await loadNano(device, { dtype });
  const whole = patchesOf(model);
  const first = firstFrames(whole, model.config.vision)!;
  expect(first.length).toBe(whole.length / 2);
  const weight = model.weights.get("visual.patch_embed.proj.weight");
  const run = async (patches: Float32Array): Promise<[Float32Array, Float32Array | undefined]> => {
    const forward = (): Tensor => {
      const input = uploadVision(device, model.config.vision, { patches, grids: [grid] });
      return visionForward(model.parameters, model.config.vision, input);
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
  const [expected, actual] = [await run(whole), await run(first)];
  expect(relativeDifference(actual[0], expected[0])).toBeLessThan(2e-6);
  if (dtype === "f32") expect(relativeDifference(actual[1]!, expected[1]!)).toBeLessThan(1e-5);
  model.dispose();
});

test("frames that differ, even in the last pixel, are both kept", async () => {
  const model = await loadNano(device);
  expect(firstFrames(patchesOf(model, 1e-6), model.config.vision)).toBeUndefined();
  const last = patchesOf(model);
  last[last.length - 1]! += 1;
  expect(firstFrames(last, model.config.vision)).toBeUndefined();
  model.dispose();
});
