// The schemas of a run.
import { expect, test } from "vitest";
import { grpoSettingsSchema, optimizerSettingsSchema } from "../src/config.ts";
import { type GrpoOptions, learnerOptions } from "../src/index.ts";

test("an empty configuration is a run with published defaults, and fits the recipe", () => {
  const settings = grpoSettingsSchema.parse({});
  const options: GrpoOptions = settings;
  expect(options.loss).toMatchObject({
    kind: "dapo",
    clip: { low: 0.2, high: 0.28 },
    dualClip: 3,
    aggregation: "token",
  });
  expect(options.rollout).toMatchObject({ samples: 8, sampling: { temperature: 1 }, maxTurns: 2, onFailure: "stop" });
  expect(settings.optimizer).toMatchObject({ learningRate: 1e-6, betas: [0.9, 0.999], weightDecay: 0.01, maxNorm: 1 });
});

test.each([
  [{ step: 3 }, "step"],
  [{ rollout: { samples: 0 } }, "samples"],
  [{ rollout: { onFailure: "ignore" } }, "onFailure"],
  [{ loss: { kind: "dr_grpo" } }, "constantLength"],
  [{ overlong: { maximum: 4, buffer: 5 } }, "buffer"],
  [{ optimizer: { schedule: "cosine" } }, "totalSteps"],
])("%o is refused", (settings, name) => {
  const { success, error } = grpoSettingsSchema.safeParse(settings);
  expect(success).toBe(false);
  expect(JSON.stringify(error?.issues)).toContain(name);
});

test("schedules warm up and end", () => {
  const settings = { learningRate: 2, schedule: "linear", warmupSteps: 2, totalSteps: 6 };
  const { learningRate } = learnerOptions(optimizerSettingsSchema.parse(settings));
  expect([0, 1, 2, 4, 6].map(learningRate)).toEqual([0, 1, 2, 1, 0]);
});
