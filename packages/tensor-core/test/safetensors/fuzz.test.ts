import { expect, test } from "vitest";
import { fuzzSafetensors } from "../../fuzz/safetensors.fuzz.ts";

test("mutated files load correctly or fail with our error", async () => {
  const cases = process.env.IAPO_FULL === "1" ? 2000 : 200;
  const { loaded, refused } = await fuzzSafetensors(cases, 20_250_101);
  expect(loaded + refused).toBe(cases);
  // Both outcomes must really occur, or the mutations test nothing.
  expect(loaded).toBeGreaterThan(cases / 20);
  expect(refused).toBeGreaterThan(cases / 4);
});
