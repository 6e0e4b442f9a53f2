// pnpm test:reserved: bytes that the pool reserves for steps of the 3B model with LoRA, a group of eight and edited images, no two steps of
// equal lengths. Counted on a planning device: nothing is computed.
import { planningDevice, typicalCard } from "@iapo/tensor-core";
import { knownConfigs } from "../src/config.ts";
import { variedSteps } from "../test/support/varied-steps.ts";

using device = planningDevice(typicalCard);
const reports = await variedSteps(device, knownConfigs["3B"], {
  ...{ steps: 3, group: 8, perPiece: 2, grid: [1, 54, 74] },
  text: { prompt: [400, 200], first: [150, 150], second: [100, 200] },
});
const gib = (bytes: number): number => Number((bytes / 2 ** 30).toFixed(2));
for (const [step, { peakBytes, peakReservedBytes }] of reports.entries()) {
  console.log(JSON.stringify({ step: step + 1, peakGiB: gib(peakBytes), reservedGiB: gib(peakReservedBytes) }));
}
