// Every recipe's sections are settings, and say what its name and the paper's tables say.
import { grpoSettingsSchema } from "@iapo/grpo/config";
import { describe, expect, test } from "vitest";
import { baselineOptionsSchema, distillationSchema, iapoPresets, iapoSettingsSchema } from "../src/config.ts";
import {
  type ExperimentRecipe,
  nanoAnchoredRecipes,
  nanoRecipes,
  paperRecipes,
  recipes,
} from "../src/recipes/index.ts";

/** By a script of the repository, not by a recipe. */
const madeInStages = "models/nano-teacher-qwen3-vl";

/** With all defaults in their places. */
function resolve({ config: { grpo, iapo, distillation, baseline } }: ExperimentRecipe) {
  return {
    grpo: grpoSettingsSchema.parse(grpo ?? {}),
    iapo: iapo && iapoSettingsSchema.parse(iapo),
    distillation: distillation && distillationSchema.parse(distillation),
    baseline: baseline && baselineOptionsSchema.parse(baseline),
  };
}

function recipe(name: string): ExperimentRecipe {
  const found = recipes.get(name);
  if (!found) throw new Error(`no recipe ${name}`);
  return found;
}

const resolved = (name: string) => resolve(recipe(name));

describe.each([...recipes.values()])("$name", (one) => {
  test("parses; a teacher stands exactly where it is asked for, and one that is made has its recipe", () => {
    const { config, needs } = one;
    const { grpo, iapo, distillation, baseline } = resolve(one);
    expect(grpo.steps).toBeGreaterThan(0);
    expect(config.teacher !== undefined).toBe((iapo ?? distillation) !== undefined);
    expect([iapo, distillation, baseline].filter((section) => section !== undefined).length).toBeLessThanOrEqual(1);
    expect(one.name).toMatch(/^[\w-]+$/);
    expect(one.title).not.toMatch(/\n/);
    const { directory = "" } = config.teacher ?? {};
    expect(directory.startsWith("models/") && directory !== madeInStages).toBe(needs !== undefined);
    if (needs !== undefined) expect(config.teacher?.directory).toBe(`models/${recipe(needs).name}`);
  });

  test("as JSON it is the same", () => {
    expect(JSON.parse(JSON.stringify(one))).toEqual(one);
  });
});

test("names are unique; no two are the same experiment, and sixteen are at nano scale", () => {
  expect(nanoRecipes).toHaveLength(16);
  expect(recipes.size).toBe(nanoRecipes.length + 7 + nanoAnchoredRecipes.length + 3 + paperRecipes.length);
  const settings = [...recipes.values()].map(({ config }) => JSON.stringify(config));
  expect(new Set(settings).size).toBe(recipes.size);
  expect(new Set([...recipes.values()].map(({ title }) => title)).size).toBe(recipes.size - 1); // ToRL, at both sizes
});

test("nano recipes are comparable: all have the same loop, student, charts and prompt", () => {
  const { model, data, environment } = recipe("nano-grpo").config;
  for (const one of [...nanoRecipes, ...nanoAnchoredRecipes]) {
    expect(resolve(one).grpo).toEqual(resolved("nano-grpo").grpo);
    expect(one.config).toMatchObject({ model, data, environment });
  }
});

test("a cold start is a variation of its own: the sixteen were measured without, docs/results.md", () => {
  for (const one of nanoRecipes) expect(resolve(one).iapo?.coldStartSteps ?? 0).toBe(0);
  expect(resolved("nano-iapo-paper-cold-start").iapo).toEqual(iapoPresets.paper);
  expect(resolved("nano-iapo-paper").iapo).toEqual({ ...iapoPresets.paper, coldStartSteps: 0 });
});

test("the values of the paper's tables", () => {
  expect(resolved("paper-iapo").iapo).toEqual(iapoPresets.paper);
  const lambda = (name: string) => resolved(name).iapo?.lambda;
  expect(["paper-lambda-0-05", "paper-iapo", "paper-lambda-0-5", "paper-lambda-1"].map(lambda)).toEqual([
    0.05, 0.1, 0.5, 1,
  ]);
  const nano = ["nano-lambda-0-05", "nano-iapo-occlusion", "nano-lambda-0-5", "nano-lambda-1"];
  expect(nano.map(lambda)).toEqual([0.05, 0.1, 0.5, 1]);
  expect(recipe("paper-iapo").needs).toBe("paper-teacher-7b-grpo");
  expect(resolved("paper-vtool-r1").grpo.loss.turns).toBe("final_only");
  expect(resolved("paper-trm").baseline).toMatchObject({
    kind: "trm",
    mode: "turn_level",
    verifier: "llm",
    alpha: 0.1,
  });
  const ownCalls = { ...iapoPresets.occlusion, teacherTarget: "teacher_call", lambda: 0.1 };
  expect(resolved("nano-iapo-occlusion").iapo).toEqual(ownCalls);
  expect(resolved("nano-occlusion-joint").iapo).toEqual({ ...ownCalls, normalization: "joint" });
  expect(resolved("nano-occlusion-student-call").iapo).toEqual({ ...ownCalls, teacherTarget: "student_call" });
  expect(resolved("nano-paper-teacher-call").iapo).toMatchObject({
    method: "grad_x_input",
    teacherTarget: "teacher_call",
  });
});
