// Random graphs of ops: see fuzz/graphs.fuzz.ts.
import { expect, test } from "vitest";
import { graphOps } from "../fuzz/graphs/generate.ts";
import { fuzzGraphs } from "../fuzz/graphs.fuzz.ts";
import { openDevice } from "../src/index.ts";

const full = process.env.IAPO_FULL === "1";

test("random graphs agree with the references, forward and backward", { timeout: 600_000 }, async () => {
  const count = full ? 2000 : 60;
  using device = await openDevice();
  const { ops, ...counts } = await fuzzGraphs(device, count, "graphs");
  expect(counts.graphs).toBe(count);
  // Most of what was made must really have been compared, or the fuzzer tests nothing.
  expect(counts.replaced).toBeLessThan(count / 10);
  expect(counts.directions).toBeGreaterThan(2 * count);
  expect(counts.kinks).toBeLessThan(counts.directions / 20);
  expect(counts.checkpoints).toBeGreaterThan(count / 10);
  expect(ops.size).toBeGreaterThan(graphOps.length / 2);
  if (full) expect([...ops.keys()].sort()).toEqual([...graphOps].sort());
});
