// A model by configuration: where it comes from, how it is held, and what of it is trained.
import { z } from "zod";

/** A model that is only read. */
export interface ModelSource {
  /** A checkpoint directory. */
  readonly directory?: string | undefined;
  /** In place of `directory`. */
  readonly hub?: { readonly repository: string; readonly revision?: string | undefined } | undefined;
  /** Random weights from this seed, in place of those of the checkpoint. */
  readonly initialize?: number | undefined;
  /** How matrices are held: default as the checkpoint has them. */
  readonly dtype?: "f32" | "bf16" | undefined;
  /** Frozen projections of the text decoder in eight bits, a scale for each 64 neighbors. */
  readonly base?: "int8" | undefined;
  readonly minPixels?: number | undefined;
  readonly maxPixels?: number | undefined;
}

/** `targets` names modules as PEFT does; default all projections of the text decoder. */
export interface LoraSettings {
  readonly rank: number;
  readonly alpha: number;
  readonly targets?: readonly string[] | "all-linear" | undefined;
}

export interface ModelSettings extends ModelSource {
  /** Train an adapter in place of the weights. */
  readonly lora?: LoraSettings | undefined;
  /** Recompute each layer in the backward pass in place of keeping its activations. */
  readonly recompute: boolean;
}

const count = z.int().min(1);

const source = {
  directory: z.string().min(1).optional().describe("A checkpoint directory, or the name of a shipped model."),
  hub: z
    .strictObject({
      repository: z.string().min(1).describe("Such as owner/name."),
      revision: z.string().min(1).optional().describe("A branch, tag or commit; default main."),
    })
    .optional()
    .describe("A model on a hub, in place of directory."),
  initialize: z.int().min(0).optional().describe("Random weights from this seed, in place of the checkpoint's."),
  dtype: z.enum(["f32", "bf16"]).optional().describe("How matrices are held; default as the checkpoint has them."),
  base: z
    .enum(["int8"])
    .optional()
    .describe(
      "Frozen projections of the text decoder in eight bits: half the memory of bf16, for a teacher or under an adapter.",
    ),
  minPixels: count.optional().describe("Smaller images are enlarged to so many pixels."),
  maxPixels: count.optional().describe("Larger images are reduced to so many pixels."),
};

/** The schema of a model with `more` settings; it comes from a directory or a hub. */
export function modelSourceSchema<Shape extends z.ZodRawShape>(more: Shape) {
  return z
    .strictObject({ ...source, ...more })
    .refine(
      ({ directory, hub }: { directory?: unknown; hub?: unknown }) => (directory === undefined) !== (hub === undefined),
      {
        error: "give either directory or hub",
      },
    );
}

export const modelSchema: z.ZodType<ModelSettings, unknown> = modelSourceSchema({
  lora: z
    .strictObject({
      rank: count.describe("Of the two matrices of each module."),
      alpha: z.number().gt(0).describe("The adapter's output is scaled by alpha / rank."),
      targets: z
        .union([z.array(z.string().min(1)).min(1), z.literal("all-linear")])
        .optional()
        .describe("Modules by name, as PEFT has them, or all-linear; default all projections of the text decoder."),
    })
    .optional()
    .describe("Train an adapter in place of the weights."),
  recompute: z.boolean().default(false).describe("Recompute each layer's activations in the backward pass."),
});
