// Every recipe is a configuration, and says what its name and the paper's tables say.
import { describe, expect, test } from "vitest";
import { iapoPresets } from "../src/config.ts";
import { type ExperimentRecipe, nanoPreparations, nanoRecipes, paperRecipes, resolveRecipe } from "../src/index.ts";

const all: readonly ExperimentRecipe[] = [...paperRecipes, ...nanoRecipes, ...nanoPreparations];
const byName = new Map(all.map((recipe) => [recipe.name, recipe]));
const resolved = (name: string) => resolveRecipe(byName.get(name)!);

describe.each(all)("$name", (recipe) => {
  test("parses; a teacher stands exactly where it is asked for", () => {
    const { grpo, iapo, baseline } = resolveRecipe(recipe);
    expect(grpo.steps).toBeGreaterThan(0);
    expect(recipe.teacher !== undefined).toBe(iapo !== undefined);
    expect(iapo && baseline).toBeUndefined();
    expect(recipe.name).toMatch(/^[\w-]+$/);
    for (const model of [recipe.student, recipe.teacher]) {
      if (model && "run" in model) expect(byName.has(model.run)).toBe(true);
    }
  });

  test("as JSON it is the same", () => {
    expect(JSON.parse(JSON.stringify(recipe))).toEqual(recipe);
  });

  test("an unknown key is refused", () => {
    const wrong = { ...recipe, grpo: { ...recipe.grpo, clipp: 1 } };
    expect(() => resolveRecipe(wrong as ExperimentRecipe)).toThrow(/clipp/);
  });
});

test("names are unique; no two nano recipes are the same experiment", () => {
  expect(byName.size).toBe(all.length);
  const settings = nanoRecipes.map((recipe) => JSON.stringify([resolveRecipe(recipe), recipe.teacher]));
  expect(new Set(settings).size).toBe(16);
});

test("nano recipes are comparable: all have the same loop", () => {
  for (const recipe of nanoRecipes) expect(resolveRecipe(recipe).grpo).toEqual(resolved("nano-grpo").grpo);
});

test("the values of the paper's tables", () => {
  expect(resolved("paper-iapo").iapo).toEqual(iapoPresets.paper);
  const lambda = (name: string) => resolved(name).iapo!.lambda;
  expect(["paper-lambda-0-05", "paper-iapo", "paper-lambda-0-5", "paper-lambda-1"].map(lambda)).toEqual([
    0.05, 0.1, 0.5, 1,
  ]);
  const nano = ["nano-lambda-0-05", "nano-iapo-occlusion", "nano-lambda-0-5", "nano-lambda-1"];
  expect(nano.map(lambda)).toEqual([0.05, 0.1, 0.5, 1]);
  expect(byName.get("paper-iapo")!.teacher).toEqual({ run: "paper-teacher-7b-grpo" });
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
