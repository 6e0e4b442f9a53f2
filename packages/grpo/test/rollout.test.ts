// Rollouts on a nano model in the real chart environment, and failures of environments.
import { type Device, deriveSeed, noGrad, openDevice } from "@iapo/tensor-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type RolloutOptions, rollout } from "../src/index.ts";
import { chartTasks, environment, nanoPolicy } from "./support/nano.ts";

let device: Device;
beforeAll(async () => {
  device = await openDevice();
});
afterAll(() => device.close());

const options: RolloutOptions = { samples: 4, sampling: { temperature: 1 }, maxTokens: 12 };
const place = { step: 3, seed: (...at: number[]) => deriveSeed("rollout", ...at) };

test.each([{ dtype: "f32" }, { dtype: "bf16" }, { dtype: "f32", lora: true }] as const)(
  "two turns, and log-probs of the packed traces equal to the bit: %o",
  async (kind) => {
    const policy = await nanoPolicy(device, kind);
    const tasks = await chartTasks(2);
    const { groups, failures } = await rollout(policy, environment, tasks, options, place);
    expect(failures).toEqual([]);
    expect(groups.map((traces) => traces.length)).toEqual([4, 4]);
    const traces = groups.flat();
    expect(new Set(traces.map(({ turns }) => turns.length))).toEqual(new Set([1, 2]));
    const processed = policy.images.processed;
    const packed = policy.pack(groups);
    const { logProb, entropy } = noGrad(() => packed.logProbs());
    const expected = traces.flatMap(({ turns }) => turns.flatMap(({ logProbs }) => [...logProbs]));
    expect([...(await logProb.values())]).toEqual(expected);
    expect(policy.images.processed).toBe(processed);
    logProb.dispose();
    entropy.dispose();
    packed.dispose();
    policy.model.dispose();
  },
);
