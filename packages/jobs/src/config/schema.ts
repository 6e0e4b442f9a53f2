// What a configuration file may say. Each package owns the schema of its part; here they are put together.
import { type GrpoSettings, grpoSettingsSchema } from "@iapo/grpo/config";
import {
  type BaselineOptions,
  baselineOptionsSchema,
  type Distillation,
  distillationSchema,
  type IapoSettings,
  iapoSettingsSchema,
} from "@iapo/iapo/config";
import { type ModelSettings, modelSchema } from "@iapo/qwen-vl-model/config";
import type { EnvironmentOptions } from "@iapo/vqa-tasks";
import {
  chatOptionsSchema,
  type DataSettings,
  dataSettingsSchema,
  environmentOptionsSchema,
  judgeOptionsSchema,
} from "@iapo/vqa-tasks/config";
import type { ChatOptions, JudgeOptions } from "@iapo/vqa-tasks/scoring";
import { z } from "zod";
import { type SupervisedSettings, supervisedSchema } from "./supervised.ts";
import { type TeacherSettings, teacherSchema } from "./teacher.ts";

export interface JobConfig {
  /** The run's directory. */
  readonly output?: string | undefined;
  readonly model: ModelSettings;
  readonly teacher?: TeacherSettings | undefined;
  readonly data: DataSettings;
  readonly environment: EnvironmentOptions;
  /** Where the environment's scoring is `judge`. Its key comes from the environment variable IAPO_JUDGE_KEY. */
  readonly judge?: Omit<JudgeOptions, "apiKey" | "record" | "recorded"> | undefined;
  readonly grpo: GrpoSettings;
  /** Beside `grpo`: the teacher's attribution in the reward. */
  readonly iapo?: IapoSettings | undefined;
  /** Beside `grpo`, in place of `iapo`: the teacher's log-probs in the reward, or its distributions in the loss. */
  readonly distillation?: Distillation | undefined;
  /** Beside `grpo`, in place of `iapo`: what others have in the reward. */
  readonly baseline?: BaselineOptions | undefined;
  /** Where a baseline's verifier is a language model. Its key comes from the environment variable IAPO_VERIFIER_KEY. */
  readonly verifier?: Omit<ChatOptions, "apiKey"> | undefined;
  readonly supervised?: SupervisedSettings | undefined;
}

/** A whole configuration, after `extends` was followed. */
export const jobConfigSchema: z.ZodType<JobConfig, unknown> = z
  .strictObject({
    output: z.string().min(1).optional().describe("The run's directory; default runs/ and the configuration's name."),
    model: modelSchema.describe("What is trained."),
    teacher: teacherSchema
      .optional()
      .describe("What iapo compares the model with, distillation learns from and grpo.functions.penalty may ask."),
    data: dataSettingsSchema
      .default({})
      .describe("What it learns from; nothing where environment.module has tasks of its own."),
    environment: environmentOptionsSchema
      .prefault({})
      .describe("What an episode is: prompt, tools, turns and scoring."),
    judge: judgeOptionsSchema.optional().describe("For scoring by a judge; its key comes from IAPO_JUDGE_KEY."),
    grpo: grpoSettingsSchema.prefault({}).describe("What iapo train does."),
    iapo: iapoSettingsSchema.optional().describe("The teacher's attribution in the reward."),
    distillation: distillationSchema
      .optional()
      .describe("On-policy distillation from the teacher, in place of iapo: by sequence, by token or by loss."),
    baseline: baselineOptionsSchema.optional().describe("ToRL or TRM, in place of iapo."),
    verifier: chatOptionsSchema.optional().describe("TRM's language model; its key comes from IAPO_VERIFIER_KEY."),
    supervised: supervisedSchema.optional().describe("What iapo sft does."),
  })
  .superRefine((config, context) => {
    if (context.issues.length > 0) return; // a part that is wrong by itself may be no part at all
    for (const [path, message] of contradictions(config))
      context.addIssue({ code: "custom", path: [...path], message });
  });

type Contradiction = readonly [broken: boolean, path: readonly string[], message: string];

function contradictions(config: JobConfig): (readonly [path: readonly string[], message: string])[] {
  const { environment, judge, iapo, teacher, baseline, verifier, grpo, supervised, data } = config;
  const hasData = (data.nanoCharts ?? data.files) !== undefined;
  const wantsValidation = (["grpo", "supervised"] as const).filter((part) => ({ grpo, supervised })[part]?.evaluate);
  const rules: readonly Contradiction[] = [
    [environment.module === undefined && !hasData, ["data"], "give either nanoCharts or files"],
    [
      environment.module !== undefined && hasData,
      ["data"],
      "environment.module has tasks of its own: leave data out, or write nothing behind it",
    ],
    [
      environment.module !== undefined && (iapo ?? baseline) !== undefined,
      [iapo ? "iapo" : "baseline"],
      "is of charts and tables, and environment.module is another environment",
    ],
    [
      environment.scoring.scoring === "judge" && !judge,
      ["environment", "scoring"],
      "scoring by a judge needs the section judge",
    ],
    [
      config.model.base !== undefined && !config.model.lora,
      ["model", "base"],
      "int8 is for weights that stay as they are: train an adapter with model.lora, or take it out",
    ],
    [iapo !== undefined && !teacher, ["iapo"], "needs the section teacher"],
    [iapo !== undefined && baseline !== undefined, ["baseline"], "stands in place of iapo: take one of them out"],
    [
      iapo !== undefined && (grpo.functions.advantage ?? grpo.functions.penalty) !== undefined,
      ["grpo", "functions", grpo.functions.advantage === undefined ? "penalty" : "advantage"],
      "iapo has its own",
    ],
    [
      baseline !== undefined &&
        (grpo.functions.advantage ?? grpo.functions.reward ?? grpo.functions.penalty) !== undefined,
      ["grpo", "functions"],
      "a baseline has its own",
    ],
    [
      baseline?.kind === "trm" && baseline.verifier === "llm" && !verifier,
      ["baseline", "verifier"],
      "a language model as verifier needs the section verifier",
    ],
    ...(["lookups", "glossaries"] as const).map(
      (part) =>
        [
          (supervised?.mixture[part] ?? 0) > 0 && data.nanoCharts?.tools !== "in_context",
          ["supervised", "mixture", part],
          "are of tools in context: set data.nanoCharts.tools to in_context",
        ] as const,
    ),
    ...distillationRules(config),
    ...wantsValidation.map(
      (part) =>
        [
          data.files !== undefined && data.validation === undefined,
          [part, "evaluate"],
          "needs held-out tasks: data.validation",
        ] as const,
    ),
  ];
  return rules.flatMap(([broken, path, message]) => (broken ? [[path, message] as const] : []));
}

function distillationRules({ distillation, teacher, iapo, baseline, environment, grpo }: JobConfig): Contradiction[] {
  if (!distillation) return [];
  const { kind } = distillation;
  const { functions, dynamicSampling, overlong } = grpo;
  const isAlone = kind !== "sequence" && distillation.mix === 1;
  const unread = isAlone ? { ...functions, dynamicSampling, overlong } : {};
  const [ignored] = Object.entries(unread).flatMap(([name, value]) => (value === undefined ? [] : [name]));
  return [
    [!teacher, ["distillation"], "needs the section teacher"],
    [iapo !== undefined, ["distillation"], "stands in place of iapo: take one of them out"],
    [baseline !== undefined, ["distillation"], "stands in place of baseline: take one of them out"],
    [
      kind === "sequence" && (functions.advantage ?? functions.penalty) !== undefined,
      ["grpo", "functions", functions.advantage === undefined ? "penalty" : "advantage"],
      "distillation by sequence has its own",
    ],
    [
      kind === "sequence" && environment.module !== undefined,
      ["distillation", "kind"],
      "sequence scores the calls of charts and tables, and environment.module is another environment: token and loss know no calls",
    ],
    [
      kind === "loss" && distillation.topK === undefined && teacher?.residence === "turns",
      ["teacher", "residence"],
      "turns: the whole vocabulary of a teacher is compared while the policy is trained, so it stays; set distillation.topK, or residence resident",
    ],
    [
      ignored !== undefined,
      ["distillation", "mix"],
      `is 1, so that rewards count for nothing, but grpo has ${ignored}: set it below 1, or leave that out`,
    ],
  ];
}
