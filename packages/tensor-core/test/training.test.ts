// Training: a two-layer transformer beside its f64 twin, equal bits run to run, a kept loss curve, and a soak.
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Device, openDevice } from "../src/index.ts";
import golden from "./fixtures/loss-curve.json" with { type: "json" };
import { referenceLosses, Transformer } from "./support/transformer.ts";

const full = process.env.IAPO_FULL === "1";
let device: Device;
beforeAll(async () => {
  device = await openDevice();
});
afterAll(() => device.close());

async function train(steps: number): Promise<{ losses: number[]; weights: Uint32Array[] }> {
  const model = new Transformer(device, "transformer");
  const losses: number[] = [];
  for (let step = 0; step < steps; step++) {
    using loss = model.step();
    losses.push(await loss.item());
  }
  const weights = await model.weightBits();
  model.dispose();
  return { losses, weights };
}

test("the loss follows the f64 twin for 20 steps", async () => {
  const { losses } = await train(20);
  const expected = referenceLosses("transformer", 20);
  expect(expected.at(-1)).toBeLessThan(expected[0]! - 0.3);
  losses.forEach((loss, step) => {
    expect(Math.abs(loss - expected[step]!), `step ${step}`).toBeLessThan(1e-5);
  });
});

test("two runs give the same bits, and the kept curve", async () => {
  const steps = full ? 500 : 60;
  const first = await train(steps);
  const second = await train(steps);
  expect(second).toEqual(first);
  // The curve belongs to software adapters; others may round elsewhere, and stay near.
  const kept = golden.losses.slice(0, Math.ceil(steps / golden.every));
  const now = kept.map((_, i) => first.losses[i * golden.every]!);
  if (device.facts.software) expect(now).toEqual(kept);
  else now.forEach((loss, i) => void expect(loss).toBeCloseTo(kept[i]!, 3));
});

test.runIf(full)("ten thousand steps hold neither more GPU bytes nor more memory", { timeout: 600_000 }, async () => {
  const model = new Transformer(device, "transformer");
  const step = async () => {
    using loss = model.step();
    return loss.item();
  };
  for (let i = 0; i < 500; i++) await step();
  const live = device.memory().liveBytes;
  const held = process.memoryUsage().rss;
  for (let i = 0; i < 9500; i++) await step();
  expect(device.memory().liveBytes).toBe(live);
  expect(process.memoryUsage().rss - held).toBeLessThan(64 * 2 ** 20);
  model.dispose();
});
