// What is reserved over steps of different lengths stays near what is in use, and does not grow.
import { planningDevice, typicalCard } from "@iapo/tensor-core";
import { expect, test } from "vitest";
import { knownConfigs } from "../src/config.ts";
import { variedSteps } from "./support/varied-steps.ts";

test("steps of different lengths reserve less than twice what is in use, and no more with each step", async () => {
  using device = planningDevice(typicalCard);
  const reports = await variedSteps(device, knownConfigs.nano, {
    ...{ steps: 6, group: 8, perPiece: 2, grid: [1, 54, 74] },
    text: { prompt: [400, 200], first: [8, 8], second: [8, 150] },
  });
  const [first, last] = [reports[0], reports.at(-1)];
  expect(last?.peakReservedBytes).toBeLessThan(2 * (last?.peakBytes ?? 0));
  expect(last?.peakReservedBytes).toBeLessThan(1.02 * (first?.peakReservedBytes ?? 0));
});
