// Settings: presets, what each method takes, and how a wrong key is answered.
import { describe, expect, test } from "vitest";
import { iapoPresets, iapoSettingsSchema } from "../src/config.ts";

const issuesOf = (settings: unknown): string[] =>
  iapoSettingsSchema
    .safeParse(settings)
    .error?.issues.map(({ path, message }) => [path.join("."), message].filter(Boolean).join(": ")) ?? [];

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
    compare: "student_with_teacher",
    teacherTarget: "student_call",
    teacherTemperature: 0,
    tolerance: { kind: "none" },
    lambda: 0.1,
    lambdaSchedule: { kind: "exp", rate: 0.01, floor: 0 },
    normalization: "joint",
    coldStartSteps: 20,
  });
});

test("the occlusion preset is another method, with a penalty that keeps its weight", () => {
  expect(iapoPresets.occlusion).toMatchObject({
    ...{ method: "occlusion", normalization: "decoupled", lambda: 0.5 },
    ...{ compare: "student_with_teacher", teacherTarget: "student_call" },
  });
  expect(iapoPresets.occlusion).not.toHaveProperty("tokenReduce");
});

test("the anchored preset compares what the teacher says of two calls of the group, by kinds of blocks", () => {
  expect(iapoPresets.anchored).toMatchObject({
    ...{ method: "occlusion", normalization: "decoupled", lambda: 0.5 },
    ...{ partition: "by_type", compare: "teacher_with_best_of_group" },
  });
  expect(iapoPresets.anchored).not.toHaveProperty("teacherTarget");
});

test.each([
  {},
  { preset: "occlusion", lambda: 0.3 },
  { preset: "occlusion", method: "ig", steps: 8 },
  { method: "grad_norm", normalize: "softmax_z", temperature: 2 },
  { partition: "tool_groups", toolGroups: { columns: ["a", "b"], rows: ["c"] } },
  { lambdaSchedule: { kind: "constant" }, noCallPenalty: 1.5 },
  { preset: "anchored", baseline: "other_image", target: "call_name", normalize: "signedL1" },
  { preset: "anchored", tolerance: { kind: "gap", atLeast: 0.03 } },
  { preset: "anchored", partition: "per_tool", compare: "teacher_with_own_call", teacherTemperature: 1 },
  { preset: "anchored", compare: "student_with_teacher", teacherTarget: "teacher_call", teacherTemperature: 0.5 },
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
    [
      { preset: "anchored", teacherTarget: "teacher_call" },
      "teacherTarget: compare teacher_with_best_of_group says already what the teacher explains",
    ],
    [
      { compare: "teacher_with_own_call", noCallPenalty: "turn1_attribution" },
      "noCallPenalty: compare teacher_with_own_call explains calls only",
    ],
    [
      { preset: "anchored", teacherTemperature: 1 },
      "teacherTemperature: the teacher writes no call of its own where compare is teacher_with_best_of_group",
    ],
    [
      { teacherTemperature: 1 },
      "teacherTemperature: the teacher writes no call of its own where compare is student_with_teacher, student_call",
    ],
    [{ tolerance: { kind: "gate", above: 0.1 } }, "tolerance: normalization joint takes none; decoupled does"],
    [
      { preset: "anchored", compare: "teacher_with_own_call", baseline: "mean_image" },
      "baseline: mean_image depends on the step's other prompts",
    ],
    [{ method: "ig", baseline: "other_image" }, "baseline: method ig takes no other_image"],
    [{ tolerance: { kind: "gate" } }, "tolerance.above: Invalid input"],
    [{ lamda: 1 }, 'Unrecognized key: "lamda"'],
  ])("%j", (given, message) => {
    const issues = issuesOf(given);
    expect(issues).toHaveLength(1);
    expect(issues[0]).toContain(message);
  });
});
