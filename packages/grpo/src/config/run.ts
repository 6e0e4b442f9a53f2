// Strict schemas of a GRPO run: rollouts, update, optimizer, checkpoints, evaluation. Defaults: docs/method.md D.2.
import { z } from "zod";
import { lossDefinition } from "../losses/registry.ts";
import { advantageInputSchema, dynamicSamplingSchema, lossOptionsSchema } from "./loss.ts";
import { configurationProblems } from "./problems.ts";
import type { GrpoSettings, OptimizerSettings, RolloutSettings } from "./settings.ts";

const count = z.int().min(1);
const positive = z.number().gt(0);

/** More than any machine does in one step: such a number is a slip, and is told before it takes the memory. */
const [MOST_GROUPS, MOST_SAMPLES, MOST_TOKENS, MOST_TURNS] = [65_536, 4096, 1_048_576, 1000];
/** AdamW moves each weight by about the learning rate in a step: weights are lost at once above this. */
const MOST_LEARNING_RATE = 1;
/** Rollouts of an older policy teach little. */
const MOST_LAG = 16;

/** `{ "samples": 8, "sampling": { "temperature": 1 }, "maxTokens": 512, "onFailure": "drop", "timeoutMs": 60000 }` */
export const rolloutSettingsSchema: z.ZodType<RolloutSettings, unknown> = z.strictObject({
  samples: count.max(MOST_SAMPLES).default(8).describe("Responses per task: the size of a group."),
  sampling: z
    .strictObject({
      temperature: z.number().min(0).default(1).describe("0 takes the likeliest token."),
      topP: positive.max(1).optional().describe("Sample from the likeliest tokens of this probability in sum."),
      topK: count.optional().describe("Sample from so many likeliest tokens."),
    })
    .default({ temperature: 1 })
    .describe("How tokens are sampled."),
  maxTokens: count.max(MOST_TOKENS).default(512).describe("Tokens of a turn at most."),
  maxTurns: count.max(MOST_TURNS).default(2).describe("Turns of a response at most."),
  maxPromptTokens: count
    .optional()
    .describe("Tokens of a task's first prompt at most; every task is looked at before the run. Default no limit."),
  onLongPrompt: z
    .enum(["fail", "skip"])
    .default("fail")
    .describe("A task whose prompt is longer: end the run before it begins, or leave the task out."),
  onFailure: z
    .enum(["drop", "penalize", "stop"])
    .default("stop")
    .describe("An episode whose environment fails: leave it out, give it failureReward, or end the run."),
  failureReward: z.number().default(0).describe("Reward of a failed episode, for onFailure penalize."),
  timeoutMs: positive.optional().describe("An episode's environment fails after so many milliseconds."),
  groupsAtOnce: count.optional().describe("Groups that are generated together; default all that fit."),
});

/** `{ "learningRate": 1e-6, "schedule": "constant", "warmupSteps": 0 }`: AdamW; toy models need 1e-4 to 1e-3. */
export const optimizerSettingsSchema: z.ZodType<OptimizerSettings, unknown> = z
  .strictObject({
    learningRate: positive
      .max(MOST_LEARNING_RATE, {
        error: `AdamW moves each weight by about this in a step: at most ${MOST_LEARNING_RATE}`,
      })
      .default(1e-6)
      .describe("Of AdamW, after the warmup."),
    schedule: z
      .enum(["constant", "linear", "cosine"])
      .default("constant")
      .describe("How the learning rate goes on after the warmup."),
    warmupSteps: z.int().min(0).default(0).describe("Optimizer steps in which the learning rate rises from 0."),
    totalSteps: count.optional().describe("Optimizer steps until a linear or cosine schedule is at 0."),
    betas: z
      .tuple([z.number().min(0).lt(1), z.number().min(0).lt(1)])
      .default([0.9, 0.999])
      .describe("Decay of the running means of the gradient and of its square."),
    epsilon: positive.default(1e-8).describe("Added to the denominator of an update."),
    weightDecay: z.number().min(0).default(0.01).describe("Decoupled weight decay."),
    maxNorm: positive.default(1).describe("Gradients are scaled down to this global norm."),
  })
  .refine(({ schedule, totalSteps }) => schedule === "constant" || totalSteps !== undefined, {
    error: "a linear or cosine schedule needs totalSteps: it is at 0 by then",
    path: ["totalSteps"],
  })
  .refine(({ warmupSteps, totalSteps }) => totalSteps === undefined || totalSteps > warmupSteps, {
    error: "totalSteps must be more than warmupSteps",
    path: ["totalSteps"],
  });

/** A whole GRPO run; `{}` is one with published defaults, of 100 steps. */
export const grpoSettingsSchema: z.ZodType<GrpoSettings, unknown> = z
  .strictObject({
    seed: z.int().min(0).default(0).describe("Of all that is drawn: the same seed gives the same run."),
    steps: count.default(100).describe("Steps of the run: rollouts, then updates."),
    groups: count.max(MOST_GROUPS).default(8).describe("Tasks per step."),
    rollout: rolloutSettingsSchema.prefault({}).describe("How responses are generated."),
    advantage: advantageInputSchema.prefault({}).describe("From the rewards of a group to advantages."),
    loss: lossOptionsSchema.prefault({ kind: "dapo" }).describe("The policy's loss."),
    update: z
      .strictObject({
        miniBatch: count.optional().describe("Groups per optimizer step; default all of the step."),
        epochs: count.default(1).describe("Passes over the responses of a step."),
        microBatchTokens: count
          .optional()
          .describe("Tokens in one forward and backward pass at most, prompts included."),
        split: z
          .enum(["packed", "group"])
          .optional()
          .describe(
            "Passes over as many groups as fit, or over each group by itself, which workers can share; default packed.",
          ),
      })
      .prefault({})
      .describe("How a step's responses are trained on."),
    dynamicSampling: dynamicSamplingSchema
      .optional()
      .describe("Replace groups whose rewards are all equal by new ones (DAPO)."),
    maxLag: count
      .max(MOST_LAG)
      .optional()
      .describe(
        "Steps by which workers' rollouts may be ahead of the policy; default none, which gives the same bits with and without workers.",
      ),
    overlong: z
      .strictObject({
        maximum: count.describe("Tokens of a response from which on its penalty is 1."),
        buffer: count.describe("Tokens before the maximum over which the penalty rises from 0."),
      })
      .refine(({ maximum, buffer }) => buffer <= maximum, {
        error: "the buffer is part of the maximum",
        path: ["buffer"],
      })
      .optional()
      .describe("A penalty for long responses (DAPO)."),
    recomputeOldLogProbs: z
      .boolean()
      .default(false)
      .describe("Compute the old log-probs by a forward pass in place of those of the rollout."),
    optimizer: optimizerSettingsSchema.prefault({}).describe("AdamW and its schedule."),
    maxSkippedSteps: count
      .default(3)
      .describe("The run ends after so many steps in a row whose numbers are not finite; none of them is applied."),
    checkpoint: z
      .strictObject({
        every: count.default(10).describe("Steps between checkpoints."),
        keep: count.default(3).describe("Newest checkpoints that are kept."),
      })
      .prefault({})
      .describe("When checkpoints are written."),
    evaluate: z
      .strictObject({
        every: count.describe("Steps between evaluations."),
        tasks: count.describe("Held-out tasks."),
        samples: count.default(1).describe("Responses per task."),
      })
      .optional()
      .describe("Evaluation on held-out tasks while training."),
    functions: z
      .strictObject({
        reward: z.string().optional().describe("In place of the environment's reward."),
        penalty: z.string().optional().describe("Taken off the outcome rewards of a step's traces."),
        advantage: z.string().optional().describe("In place of the advantage by its settings."),
        loss: z.string().optional().describe("In place of the loss by its settings."),
      })
      .default({})
      .describe("Functions of your own: a module's path, with #name where it is not the default export."),
  })
  .transform(({ advantage, loss, ...settings }): GrpoSettings => {
    const { scale = lossDefinition(loss.kind).advantageScale ?? "group", ...others } = advantage;
    const longest = settings.rollout.maxTokens * (loss.turns === "all" ? settings.rollout.maxTurns : 1);
    const constantLength = loss.aggregation === "constant" ? (loss.constantLength ?? longest) : loss.constantLength;
    return {
      ...settings,
      advantage: { ...others, scale },
      loss: { ...loss, ...(constantLength !== undefined && { constantLength }) },
    };
  })
  .superRefine((settings, context) => {
    for (const { path, message } of configurationProblems(settings).errors)
      context.addIssue({ code: "custom", path: [...path], message });
  });
