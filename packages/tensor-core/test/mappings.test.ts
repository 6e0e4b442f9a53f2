// What a driver holds for dropped bind groups. lavapipe maps a page for each; a process has 65,530 mappings.
import { existsSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { add, openDevice, type Tensor } from "../src/index.ts";

const file = "/proc/self/maps";
const mappings = (): number => readFileSync(file, "utf8").split("\n").length;

test.skipIf(!existsSync(file))("bind groups of buffers that are gone are collected under way", async () => {
  using device = await openDevice();
  const before = mappings();
  let most = 0;
  for (let phase = 0; phase < 8; phase++) {
    const all: Tensor[] = [];
    for (let round = 0; round < 20; round++) {
      const tensors = Array.from({ length: 16 }, () => device.empty([64]));
      for (const a of tensors) for (const b of tensors) add(a, b).dispose();
      all.push(...tensors);
      await device.idle();
    }
    for (const tensor of all) tensor.dispose();
    device.trim();
    most = Math.max(most, mappings() - before);
  }
  expect(device.dispatches).toBe(8 * 20 * 256);
  expect(most).toBeLessThan(12_500); // of 40,960 that were made;
});
