// Strict schemas of losses, advantages and dynamic sampling.
import { z } from "zod";
import { type AdvantageOptions, advantageKinds } from "../advantages/registry.ts";
import { klEstimators } from "../losses/kl.ts";
import { type LossOptions, lossKinds, lossPreset } from "../losses/registry.ts";

const positive = z.number().gt(0);

/** `{ "kind": "dapo", "clip": { "high": 0.3 } }`: a published loss, with single options in its place. `null` turns one off. */
export const lossOptionsSchema: z.ZodType<LossOptions, unknown> = z
  .strictObject({
    kind: z.enum(lossKinds).default("grpo").describe("A published loss; the other keys replace single options of it."),
    clip: z
      .strictObject({
        low: positive.optional().describe("The ratio is at least 1 - low."),
        high: positive.optional().describe("The ratio is at most 1 + high."),
      })
      .optional()
      .describe("Bounds of the ratio of new to old probability."),
    dualClip: z
      .number()
      .gt(1)
      .nullable()
      .optional()
      .describe("For negative advantages the term is at most this times -A; null turns it off."),
    gate: z
      .strictObject({
        positive: positive.optional().describe("For positive advantages."),
        negative: positive.optional().describe("For negative advantages."),
      })
      .optional()
      .describe("Temperatures of SAPO's gate."),
    aggregation: z
      .enum(["token", "sequence", "constant"])
      .optional()
      .describe("Mean over all tokens, mean over responses of their means, or sum divided by constantLength."),
    constantLength: z
      .int()
      .min(1)
      .optional()
      .describe("Tokens that aggregation constant divides by; default the longest response allowed."),
    kl: z
      .strictObject({
        where: z.enum(["loss", "reward"]).default("loss").describe("Added to the loss, or taken off the reward."),
        estimator: z
          .enum([...klEstimators.keys()])
          .default("k3")
          .describe("Of the divergence, by token."),
        coefficient: positive.default(0.01).describe("Its weight."),
      })
      .optional()
      .describe("KL divergence from the model as it was before training."),
    importance: z
      .strictObject({
        level: z.enum(["token", "sequence"]).default("token").describe("What a weight is of."),
        mode: z
          .enum(["truncate", "mask"])
          .default("truncate")
          .describe("Weights out of bounds are cut to the bound, or set to 0."),
        maximum: positive.default(2).describe("The largest weight."),
        minimum: z.number().min(0).optional().describe("The smallest weight."),
        normalize: z.boolean().default(false).describe("Scale the weights to a mean of 1."),
      })
      .optional()
      .describe("Weights that correct for rollouts sampled with other numbers than training computes."),
    turns: z
      .enum(["all", "final_only"])
      .default("all")
      .describe("Whose tokens are trained: those of all turns, or of the final one (VTool-R1)."),
    maskTruncated: z.boolean().default(false).describe("Leave out responses of which a turn was cut off at maxTokens."),
  })
  .transform(({ kind, clip, dualClip, gate, ...single }): LossOptions => {
    const preset = lossPreset(kind);
    return {
      ...preset,
      ...single,
      aggregation: single.aggregation ?? preset.aggregation,
      clip: { low: clip?.low ?? preset.clip.low, high: clip?.high ?? preset.clip.high },
      dualClip: dualClip === undefined ? preset.dualClip : (dualClip ?? undefined),
      gate: { positive: gate?.positive ?? preset.gate.positive, negative: gate?.negative ?? preset.gate.negative },
    };
  });

/** Where `scale` is left out, it is that of the loss: see {@link lossDefinition}. */
export const advantageInputSchema = z.strictObject({
  kind: z.enum(advantageKinds).default("grpo").describe("The baseline: the group's mean, or that of the others in it."),
  scale: z
    .enum(["group", "batch", "none"])
    .optional()
    .describe("Divide by the standard deviation of the group or of the batch; default the loss's."),
  epsilon: z.number().min(0).default(1e-6).describe("Added to the standard deviation."),
});

/** verl's GRPO where nothing is set: `{ "kind": "grpo", "scale": "group", "epsilon": 1e-6 }`. */
export const advantageOptionsSchema: z.ZodType<AdvantageOptions, unknown> = advantageInputSchema.transform(
  ({ scale = "group", ...others }): AdvantageOptions => ({ ...others, scale }),
);

export interface DynamicSamplingOptions {
  /** Which reward must differ within a group that is kept. */
  readonly by: "outcome" | "total";
  /** Rounds of rollouts at most; with fewer groups than wanted by then, the step trains on those. */
  readonly tries: number;
}

export const dynamicSamplingSchema: z.ZodType<DynamicSamplingOptions, unknown> = z.strictObject({
  by: z
    .enum(["outcome", "total"])
    .default("outcome")
    .describe("The reward that must differ within a group that is kept."),
  tries: z.int().min(1).default(20).describe("Rounds of rollouts per step at most."),
});
