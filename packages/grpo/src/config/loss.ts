/** Strict schemas of losses, advantages and dynamic sampling. */
import { z } from "zod";
import { type AdvantageOptions, advantageKinds } from "../advantages/registry.ts";
import { klEstimators } from "../losses/kl.ts";
import { type LossOptions, lossKinds, lossPreset } from "../losses/registry.ts";

const positive = z.number().gt(0);

/** `{ "kind": "dapo", "clip": { "high": 0.3 } }`: a published loss, with single options in its place. `null` turns one off. */
export const lossOptionsSchema: z.ZodType<LossOptions, unknown> = z
  .strictObject({
    kind: z.enum(lossKinds).default("grpo"),
    clip: z.strictObject({ low: positive.optional(), high: positive.optional() }).optional(),
    dualClip: z.number().gt(1).nullable().optional(),
    gate: z.strictObject({ positive: positive.optional(), negative: positive.optional() }).optional(),
    aggregation: z.enum(["token", "sequence", "constant"]).optional(),
    constantLength: z.int().min(1).optional(),
    kl: z
      .strictObject({
        where: z.enum(["loss", "reward"]).default("loss"),
        estimator: z.enum([...klEstimators.keys()]).default("k3"),
        coefficient: positive.default(0.01),
      })
      .optional(),
    importance: z
      .strictObject({
        level: z.enum(["token", "sequence"]).default("token"),
        mode: z.enum(["truncate", "mask"]).default("truncate"),
        maximum: positive.default(2),
        minimum: z.number().min(0).optional(),
        normalize: z.boolean().default(false),
      })
      .optional(),
    turns: z.enum(["all", "final_only"]).default("all"),
    maskTruncated: z.boolean().default(false),
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
  kind: z.enum(advantageKinds).default("grpo"),
  scale: z.enum(["group", "batch", "none"]).optional(),
  epsilon: z.number().min(0).default(1e-6),
});

/** verl's GRPO where nothing is set: `{ "kind": "grpo", "scale": "group", "epsilon": 1e-6 }`. */
export const advantageOptionsSchema: z.ZodType<AdvantageOptions, unknown> = advantageInputSchema.transform(
  ({ scale = "group", ...others }): AdvantageOptions => ({ ...others, scale }),
);

export type DynamicSamplingOptions = {
  /** Which reward must differ within a group that is kept. */
  readonly by: "outcome" | "total";
  /** Rounds of rollouts at most; with fewer groups than wanted by then, the step trains on those. */
  readonly tries: number;
};

export const dynamicSamplingSchema: z.ZodType<DynamicSamplingOptions, unknown> = z.strictObject({
  by: z.enum(["outcome", "total"]).default("outcome"),
  tries: z.int().min(1).default(20),
});
