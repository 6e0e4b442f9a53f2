import { openDevice } from "@iapo/tensor-core";
import { expect, test } from "vitest";
import { fuzzCheckpoints } from "../fuzz/checkpoint.fuzz.ts";

const full = process.env.IAPO_FULL === "1";

test(
  "spoiled checkpoints load as the files say or fail with our error, and keep no GPU memory",
  async () => {
    const cases = full ? 2000 : 100;
    using device = await openDevice();
    const { loaded, refused } = await fuzzCheckpoints(device, cases, 20_250_101);
    expect(loaded + refused).toBe(cases);
    // Both outcomes must really occur, or the mutations test nothing.
    expect(loaded).toBeGreaterThan(cases / 10);
    expect(refused).toBeGreaterThan(cases / 4);
  },
  full ? 600_000 : 60_000,
);
