// Settings: presets, what each method takes, and how a wrong key is answered.
import { describe, expect, test } from "vitest";
import { iapoPresets, iapoSettingsSchema } from "../src/config.ts";

const issuesOf = (settings: unknown): string[] =>
  iapoSettingsSchema.safeParse(settings).error?.issues.map(({ path, message }) => [...path, message].join(": ")) ?? [];

test("nothing set is the paper's method, as docs/method.md 0.5 reads it", () => {
  expect(iapoSettingsSchema.parse({})).toEqual({
    method: "grad_x_input",
    tokenReduce: "dot",
    blockReduce: "mean",
    partition: "per_tool",
    target: "code",
    normalize: "absL1",
    temperature: 1,
    smoothing: 0.001,
    divergence: "kl_student_teacher",
    maxPenalty: 5,
    noCallPenalty: "lnK",
    teacherTarget: "student_call",
    teacherTemperature: 0,
    lambda: 0.1,
    lambdaSchedule: { kind: "exp", rate: 0.01, floor: 0 },
    normalization: "joint",
    coldStartSteps: 20,
  });
});

test("the occlusion preset is another method, with a penalty that keeps its weight", () => {
  const { method, normalization, lambda, teacherTarget } = iapoPresets.occlusion;
  expect([method, normalization, lambda, teacherTarget]).toEqual(["occlusion", "decoupled", 0.5, "student_call"]);
  expect(iapoPresets.occlusion).not.toHaveProperty("tokenReduce");
});

test.each([
  {},
  { preset: "occlusion", lambda: 0.3 },
  { preset: "occlusion", method: "ig", steps: 8 },
  { method: "grad_norm", normalize: "softmax_z", temperature: 2 },
  { partition: "tool_groups", toolGroups: { columns: ["a", "b"], rows: ["c"] } },
  { lambdaSchedule: { kind: "constant" }, noCallPenalty: 1.5 },
])("what parsing gives can be parsed again, to the same: %j", (given) => {
  const parsed = iapoSettingsSchema.parse(given);
  const { preset, ...single } = { preset: undefined, ...given };
  expect(parsed).toMatchObject(single);
  expect(iapoSettingsSchema.parse(parsed)).toEqual(parsed);
});

describe("refused", () => {
  test.each([
    [{ method: "occlusion", tokenReduce: "l2" }, "tokenReduce: method occlusion takes no tokenReduce, only baseline"],
    [{ preset: "occlusion", blockReduce: "sum" }, "blockReduce: method occlusion takes no blockReduce, only baseline"],
    [
      { method: "grad_norm", tokenReduce: "l1" },
      "tokenReduce: method grad_norm takes no tokenReduce, only blockReduce",
    ],
    [{ steps: 8 }, "steps: method grad_x_input takes no steps, only tokenReduce, blockReduce"],
    [{ toolGroups: { rows: ["a"] } }, "toolGroups: needs partition tool_groups"],
    [{ partition: "tool_groups" }, "toolGroups: missing: partition tool_groups needs it"],
    [{ temperature: 2 }, "temperature: normalize absL1 takes no temperature other than 1"],
    [{ smoothing: 0 }, "smoothing: a KL divergence needs smoothing above 0"],
    [{ noCallPenalty: "none" }, "noCallPenalty: expected lnK, group_max, zero, turn1_attribution or a number"],
    [{ noCallPenalty: -1 }, "noCallPenalty: Too small"],
    [{ lambda: Number.NaN }, "lambda: Invalid input"],
    [{ lambdaSchedule: { kind: "constant", rate: 1 } }, 'lambdaSchedule: Unrecognized key: "rate"'],
    [{ lamda: 1 }, 'Unrecognized key: "lamda"'],
  ])("%j", (given, message) => {
    const issues = issuesOf(given);
    expect(issues).toHaveLength(1);
    expect(issues[0]).toContain(message);
  });
});
