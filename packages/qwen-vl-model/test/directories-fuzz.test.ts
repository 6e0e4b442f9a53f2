import { openDevice } from "@iapo/tensor-core";
import { expect, test } from "vitest";
import { fuzzAdapters } from "../fuzz/adapter.fuzz.ts";
import { fuzzHubCaches } from "../fuzz/hub-cache.fuzz.ts";

const full = process.env.IAPO_FULL === "1";
const limit = full ? 600_000 : 60_000;
/** Of resident memory, over all cases. */
const MOST_GROWTH = 512 * 2 ** 20;

test(
  "spoiled PEFT directories load as they say or are refused, and keep no GPU memory",
  async () => {
    const cases = full ? 2000 : 100;
    const before = process.memoryUsage.rss();
    using device = await openDevice();
    const { loaded, refused } = await fuzzAdapters(device, cases, 20_261_129);
    expect(loaded + refused).toBe(cases);
    expect(Math.min(loaded, refused)).toBeGreaterThan(cases / 5); // both must really occur
    expect(process.memoryUsage.rss() - before).toBeLessThan(MOST_GROWTH);
  },
  limit,
);

test(
  "spoiled caches hold a whole model or none, and are repaired",
  async () => {
    const cases = full ? 2000 : 100;
    const before = process.memoryUsage.rss();
    const { found, refused, repaired } = await fuzzHubCaches(cases, 20_261_129);
    expect(found + refused).toBe(cases);
    expect(Math.min(found, refused)).toBeGreaterThan(cases / 20);
    expect(repaired).toBeGreaterThan(cases / 2);
    expect(process.memoryUsage.rss() - before).toBeLessThan(MOST_GROWTH);
  },
  limit,
);
