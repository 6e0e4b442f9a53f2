// Training: a two-layer transformer beside its f64 twin, equal bits run to run, a kept loss curve (UPDATE=1 rewrites it), and a soak.
import { readFileSync, writeFileSync } from "node:fs";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Device, openDevice } from "../src/index.ts";
import { referenceLosses, Transformer } from "./support/transformer.ts";

const full = process.env.IAPO_FULL === "1";
const update = process.env.UPDATE === "1";
const steps = full || update ? 500 : 40;
const EVERY = 10;
/** Losses of steps 0, 10, ... of 500. */
const curve = new URL("fixtures/loss-curve.json", import.meta.url);
let device: Device;
let first: Awaited<ReturnType<typeof train>>;
beforeAll(async () => {
  device = await openDevice();
  first = await train(steps);
});
afterAll(() => device.close());

async function train(count: number): Promise<{ losses: number[]; weights: Uint32Array[] }> {
  const model = new Transformer(device, "transformer");
  const losses: number[] = [];
  for (let step = 0; step < count; step++) {
    using loss = model.step();
    losses.push(await loss.item());
  }
  const weights = await model.weightBits();
  model.dispose();
  return { losses, weights };
}

test("the loss follows the f64 twin for 20 steps", () => {
  const expected = referenceLosses("transformer", 20);
  expect(expected.at(-1)).toBeLessThan(expected[0]! - 0.3);
  expected.forEach((loss, step) => {
    expect(Math.abs(first.losses[step]! - loss), `step ${step}`).toBeLessThan(1e-5);
  });
});

test("a second run gives the same bits", async () => {
  expect(await train(steps)).toEqual(first);
});

test("the loss curve is the one that was kept", () => {
  const now = first.losses.filter((_, step) => step % EVERY === 0);
  const { description: adapter, subgroupSize } = device.facts;
  if (update) writeFileSync(curve, `${JSON.stringify({ adapter, subgroupSize, every: EVERY, losses: now })}\n`);
  const kept = JSON.parse(readFileSync(curve, "utf8")) as Curve;
  expect(kept.every).toBe(EVERY);
  expect(kept.losses).toHaveLength(50);
  const known = kept.adapter === adapter && kept.subgroupSize === subgroupSize;
  if (known) expect(now).toEqual(kept.losses.slice(0, now.length));
  else now.slice(0, 4).forEach((loss, i) => void expect(loss).toBeCloseTo(kept.losses[i]!, 3)); // rounds elsewhere, stays near for a while
});

interface Curve {
  /** The adapter that gave these bits. */
  readonly adapter: string;
  readonly subgroupSize: number;
  readonly every: number;
  readonly losses: readonly number[];
}

test.runIf(full)("ten thousand steps hold neither more GPU bytes nor more memory", { timeout: 900_000 }, async () => {
  const model = new Transformer(device, "transformer");
  const step = async () => {
    using loss = model.step();
    return loss.item();
  };
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  /** Bytes of live objects, and resident ones outside V8's heap: what that heap keeps for later (70 MiB come at once, at a step that chance chooses) is neither. */
  const held = (): { objects: number; native: number } => {
    collect(); // how much garbage lies about is chance
    const { rss, heapTotal, heapUsed } = process.memoryUsage();
    return { objects: heapUsed, native: rss - heapTotal };
  };
  for (let i = 0; i < 3000; i++) await step(); // by then Dawn's heaps have found their sizes
  const live = device.memory().liveBytes;
  const before = held();
  for (let i = 3000; i < 10_000; i++) await step();
  const after = held();
  expect(device.memory().liveBytes).toBe(live);
  expect(after.objects - before.objects).toBeLessThan(16 * 2 ** 20);
  expect(after.native - before.native).toBeLessThan(48 * 2 ** 20);
  model.dispose();
});
