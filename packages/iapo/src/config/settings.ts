// The strict schema of IAPO's settings: a preset, with single keys in its place.
import type { BatchBaseline } from "@iapo/attribution";
import { toleranceSchema } from "@iapo/grpo/config";
import { z } from "zod";
import { compareLabel, writesCalls } from "./compare.ts";
import { lambdaScheduleSchema } from "./lambda-schedule.ts";
import { type IapoPreset, presetDefaults } from "./presets.ts";
import type { CompareSettings, IapoSettings, MethodSettings, PartitionSettings } from "./types.ts";

const positive = z.number().gt(0);
const presets = ["paper", "occlusion", "anchored"] as const satisfies readonly IapoPreset[];

const batchBaselines = ["other_image", "mean_image"] as const satisfies readonly BatchBaseline[];

/** Keys that only some methods take. */
const methodKeys = z.strictObject({
  tokenReduce: z
    .enum(["dot", "l1", "l2"])
    .optional()
    .describe("From the attribution of a token's embedding to one number: grad_x_input, ig."),
  blockReduce: z
    .enum(["mean", "sum", "absMean", "absSum"])
    .optional()
    .describe("From a block's tokens to one number: grad_x_input, ig, grad_norm."),
  baseline: z
    .enum(["mean", "mean_by_kind", "pad", "zero", ...batchBaselines])
    .optional()
    .describe(
      "What stands for an absent block: ig, occlusion; of occlusion also the next prompt's image, or the mean image of the step's other prompts.",
    ),
  quadrature: z
    .enum(["gauss_legendre", "midpoint", "trapezoid"])
    .optional()
    .describe("How the path integral is approximated: ig."),
  steps: z.int().min(1).optional().describe("Points of the quadrature: ig."),
});
type MethodKeys = z.infer<typeof methodKeys>;

/**
 * `{ "preset": "occlusion", "lambda": 0.3 }`; `{}` is the paper's method. Keys of another method than the chosen one are errors, as are
 * `toolGroups` and `temperature` where nothing reads them. What it gives can be parsed again, to the same.
 */
export const iapoSettingsSchema: z.ZodType<IapoSettings, unknown> = z
  .strictObject({
    preset: z.enum(presets).default("paper").describe("A set of settings; the other keys replace single ones."),
    method: z.enum(["grad_x_input", "ig", "grad_norm", "occlusion"]).optional().describe("How a call is attributed."),
    ...methodKeys.shape,
    target: z
      .enum(["code", "call_name", "call_arguments", "turn1"])
      .optional()
      .describe(
        "The tokens that are explained: the program, its tools' names, their arguments, or all of the first turn.",
      ),
    partition: z
      .enum(["per_tool", "by_type", "contiguous", "tool_groups"])
      .optional()
      .describe("How the prompt is cut into blocks."),
    toolGroups: z
      .record(z.string().min(1), z.array(z.string().min(1)).min(1))
      .optional()
      .describe("Names of tools by group, for partition tool_groups."),
    normalize: z
      .enum(["absL1", "signedL1", "relu", "softmax", "softmax_z"])
      .optional()
      .describe("From block scores to a distribution."),
    temperature: positive.optional().describe("Of normalize softmax and softmax_z."),
    smoothing: z
      .number()
      .min(0)
      .max(1)
      .optional()
      .describe("Weight of the uniform distribution that is mixed in; it bounds the divergence."),
    divergence: z
      .enum(["kl_student_teacher", "kl_teacher_student", "js", "tv", "l2"])
      .optional()
      .describe("From the distributions of student and teacher to the penalty."),
    maxPenalty: positive.optional().describe("The penalty of a call is at most this."),
    noCallPenalty: z
      .union([z.enum(["lnK", "group_max", "zero", "turn1_attribution"]), z.number().min(0)], {
        error: "expected lnK, group_max, zero, turn1_attribution or a number from 0 on",
      })
      .optional()
      .describe("The penalty of a response without a call: a number, or how it is found."),
    compare: z
      .enum(["student_with_teacher", "teacher_with_own_call", "teacher_with_best_of_group"])
      .optional()
      .describe(
        "The student's explanation of its call with the teacher's; or the teacher's with that of a call of its own, or of the group's call that it finds likeliest.",
      ),
    teacherTarget: z
      .enum(["student_call", "teacher_call"])
      .optional()
      .describe(
        "Of compare student_with_teacher: the teacher explains the student's call, or one of its own, written once per prompt.",
      ),
    teacherTemperature: z
      .number()
      .min(0)
      .optional()
      .describe("At which the teacher writes its own call; 0 takes the likeliest token."),
    lambda: z.number().min(0).optional().describe("Weight of the penalty when the cold start ends."),
    lambdaSchedule: lambdaScheduleSchema.optional().describe("How lambda goes on."),
    normalization: z
      .enum(["joint", "decoupled", "outcome_std", "none"])
      .optional()
      .describe("How rewards and penalties of a group become advantages: normalized together, apart, or not."),
    tolerance: toleranceSchema
      .optional()
      .describe("Which differences of the penalty within a group count, for normalization decoupled."),
    coldStartSteps: z.int().min(0).optional().describe("Steps of plain GRPO before, in which nothing is attributed."),
  })
  .transform((given, context): IapoSettings => {
    const refuse = (key: string, message: string): void => {
      context.addIssue({ code: "custom", path: [key], message });
    };
    const { preset, tokenReduce, blockReduce, baseline, quadrature, steps, toolGroups, teacherTarget, ...single } =
      given;
    const chosen = { ...presetDefaults[preset], ...withoutUndefined(single) };
    const { method: name, partition, compare, ...shared } = chosen;
    const method = methodSettings(name, { tokenReduce, blockReduce, baseline, quadrature, steps });
    for (const key of Object.keys(methodKeys.shape) as (keyof MethodKeys)[]) {
      if (given[key] !== undefined && !(key in method)) {
        const own = Object.keys(method).filter((taken) => taken !== "method");
        refuse(key, `method ${name} takes no ${key}, only ${own.join(", ")}`);
      }
    }
    if (partition !== "tool_groups" && toolGroups) refuse("toolGroups", "needs partition tool_groups");
    if (partition === "tool_groups" && !toolGroups) refuse("toolGroups", "missing: partition tool_groups needs it");
    if (shared.temperature !== 1 && !shared.normalize.startsWith("softmax")) {
      refuse(
        "temperature",
        `normalize ${shared.normalize} takes no temperature other than 1; softmax and softmax_z do`,
      );
    }
    if (shared.smoothing === 0 && shared.divergence.startsWith("kl")) {
      refuse("smoothing", "a KL divergence needs smoothing above 0: without it, it may be infinite");
    }
    const compared: CompareSettings =
      compare === "student_with_teacher" ? { compare, teacherTarget: teacherTarget ?? "student_call" } : { compare };
    if (compare !== "student_with_teacher" && teacherTarget)
      refuse("teacherTarget", `compare ${compare} says already what the teacher explains`);
    if (compare !== "student_with_teacher" && shared.noCallPenalty === "turn1_attribution")
      refuse(
        "noCallPenalty",
        `compare ${compare} explains calls only, so that turn1_attribution has nothing to compare`,
      );
    if (shared.teacherTemperature !== 0 && !writesCalls(compared))
      refuse("teacherTemperature", `the teacher writes no call of its own where compare is ${compareLabel(compared)}`);
    if (shared.tolerance.kind !== "none" && shared.normalization !== "decoupled")
      refuse("tolerance", `normalization ${shared.normalization} takes none; decoupled does`);
    const isOfBatch = batchBaselines.some((one) => one === baseline);
    if (isOfBatch && name === "ig")
      refuse("baseline", `method ig takes no ${baseline}: it explains one prompt at a time`);
    if (isOfBatch && writesCalls(compared))
      refuse(
        "baseline",
        `${baseline} depends on the step's other prompts, and a call of the teacher's own is explained once for all steps`,
      );
    const cut: PartitionSettings =
      partition === "tool_groups" ? { partition, toolGroups: toolGroups ?? {} } : { partition };
    return { ...shared, ...cut, ...compared, ...method };
  });

/** A method with what it takes; defaults are those of docs/method.md F5, F6 and H.2. */
function methodSettings(method: IapoSettings["method"], given: MethodKeys): MethodSettings {
  const { tokenReduce = "dot", blockReduce = "mean", baseline = "mean_by_kind" } = given;
  const ofOnePrompt = baseline === "other_image" || baseline === "mean_image" ? "mean_by_kind" : baseline; // it was refused
  switch (method) {
    case "grad_x_input":
      return { method, tokenReduce, blockReduce };
    case "ig":
      return {
        ...{ method, tokenReduce, blockReduce, baseline: ofOnePrompt },
        quadrature: given.quadrature ?? "gauss_legendre",
        steps: given.steps ?? 32,
      };
    case "grad_norm":
      return { method, blockReduce };
    case "occlusion":
      return { method, baseline };
  }
}

function withoutUndefined<T extends object>(given: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) as ReturnType<
    typeof withoutUndefined<T>
  >;
}

/** The presets as whole settings. */
export const iapoPresets: Readonly<Record<IapoPreset, IapoSettings>> = {
  paper: iapoSettingsSchema.parse({ preset: "paper" }),
  occlusion: iapoSettingsSchema.parse({ preset: "occlusion" }),
  anchored: iapoSettingsSchema.parse({ preset: "anchored" }),
};
