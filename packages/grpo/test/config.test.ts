// The schemas of a run.
import { expect, test } from "vitest";
import {
  type ConfigurationFacts,
  configurationProblems,
  grpoSettingsSchema,
  optimizerSettingsSchema,
} from "../src/config.ts";
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
  [{ groups: 1e8 }, "groups"],
  [{ rollout: { samples: 1 } }, "lone response"],
  [{ rollout: { sampling: { temperature: 0 } } }, "temperature above 0"],
  [{ rollout: { sampling: { temperature: 1, topK: 1 } } }, "topK"],
  [{ rollout: { maxTokens: 1e9 } }, "maxTokens"],
  [{ optimizer: { learningRate: 10 } }, "learningRate"],
  [{ rollout: { maxTokens: 8, maxTurns: 1 }, overlong: { maximum: 20, buffer: 4 } }, "begins at 16 tokens"],
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

test("a lone response is fine where advantages are the user's own", () => {
  const settings = { rollout: { samples: 1 }, functions: { advantage: "./mine.ts" } };
  expect(grpoSettingsSchema.safeParse(settings).success).toBe(true);
});

test("good settings have no problems", () => {
  const facts = { tasks: 8, heldOut: 10, turns: 2, positions: 4096, promptTokens: 700 };
  const settings = grpoSettingsSchema.parse({ evaluate: { every: 1, tasks: 10 } });
  expect(configurationProblems(settings, facts)).toEqual({ errors: [], warnings: [] });
});

test.each<[object, ConfigurationFacts, "errors" | "warnings", string]>([
  [{}, { tasks: 7 }, "errors", "groups"],
  [{ rollout: { maxTurns: 1 } }, { turns: 2 }, "errors", "rollout.maxTurns"],
  [{ rollout: { maxTokens: 600 } }, { positions: 512 }, "errors", "rollout.maxTokens"],
  [{ rollout: { maxTokens: 200 } }, { positions: 512, promptTokens: 200 }, "warnings", "rollout.maxTokens"],
  [{ optimizer: { learningRate: 0.02 } }, {}, "warnings", "optimizer.learningRate"],
  [{ overlong: { maximum: 2000, buffer: 1000 } }, {}, "warnings", "overlong.maximum"],
  [{ update: { miniBatch: 9 } }, {}, "warnings", "update.miniBatch"],
  [{ evaluate: { every: 1, tasks: 10 } }, { heldOut: 9 }, "warnings", "evaluate.tasks"],
  [{ loss: { kind: "reinforce" }, update: { epochs: 2 } }, {}, "warnings", "loss.kind"],
  [{ loss: { kl: { where: "reward" } } }, {}, "warnings", "loss.kl.estimator"],
  [{ loss: { kind: "sapo", clip: { high: 0.3 } } }, {}, "warnings", "loss.clip"],
  [{ loss: { kind: "cispo", dualClip: 3 } }, {}, "warnings", "loss.dualClip"],
  [{ loss: { kind: "dapo", gate: { positive: 2 } } }, {}, "warnings", "loss.gate"],
])("%o with %o: %s of %s", (settings, facts, severity, name) => {
  const found = configurationProblems(grpoSettingsSchema.parse(settings), facts);
  expect(found[severity].map(({ path }) => path.join("."))).toEqual([name]);
  expect(found[severity === "errors" ? "warnings" : "errors"]).toEqual([]);
});

test("schedules warm up and end", () => {
  const settings = { learningRate: 0.5, schedule: "linear", warmupSteps: 2, totalSteps: 6 };
  const { learningRate } = learnerOptions(optimizerSettingsSchema.parse(settings));
  expect([0, 1, 2, 4, 6].map(learningRate)).toEqual([0, 0.25, 0.5, 0.25, 0]);
});
