// The schemas of a run.
import { expect, test } from "vitest";
import { grpoSettingsSchema, optimizerSettingsSchema } from "../src/config.ts";
import { type GrpoOptions, learnerOptions } from "../src/index.ts";
import { lossKinds } from "../src/math/index.ts";

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
  [{ overlong: { maximum: 4, buffer: 5 } }, "buffer"],
  [{ optimizer: { schedule: "cosine" } }, "totalSteps"],
])("%o is refused", (settings, name) => {
  const { success, error } = grpoSettingsSchema.safeParse(settings);
  expect(success).toBe(false);
  expect(JSON.stringify(error?.issues)).toContain(name);
});

test("dr_grpo is Dr. GRPO: advantages are not divided, the loss is by the longest response", () => {
  const { advantage, loss } = grpoSettingsSchema.parse({ loss: { kind: "dr_grpo" }, rollout: { maxTokens: 64 } });
  expect(advantage.scale).toBe("none");
  expect(loss).toMatchObject({ aggregation: "constant", constantLength: 128 });
  const own = grpoSettingsSchema.parse({
    loss: { kind: "dr_grpo", constantLength: 100 },
    advantage: { scale: "group" },
  });
  expect([own.advantage.scale, own.loss.constantLength]).toEqual(["group", 100]);
  expect(grpoSettingsSchema.parse({ loss: { kind: "grpo" } }).advantage.scale).toBe("group");
});

test("what a run writes of its settings is read back as the same", () => {
  for (const kind of lossKinds) {
    const settings = grpoSettingsSchema.parse({ loss: { kind } });
    const written = { ...settings, loss: { ...settings.loss, dualClip: settings.loss.dualClip ?? null } };
    expect(grpoSettingsSchema.parse(JSON.parse(JSON.stringify(written)))).toEqual(settings);
  }
});

test("schedules warm up and end", () => {
  const settings = { learningRate: 2, schedule: "linear", warmupSteps: 2, totalSteps: 6 };
  const { learningRate } = learnerOptions(optimizerSettingsSchema.parse(settings));
  expect([0, 1, 2, 4, 6].map(learningRate)).toEqual([0, 1, 2, 1, 0]);
});
