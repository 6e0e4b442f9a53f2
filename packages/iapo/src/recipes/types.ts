// An experiment as plain data: which models, and the sections of a configuration that make it.
import { type GrpoSettings, grpoSettingsSchema } from "@iapo/grpo/config";
import { type BaselineOptions, baselineOptionsSchema } from "../baselines/config.ts";
import type { IapoPreset } from "../config/presets.ts";
import { iapoSettingsSchema } from "../config/settings.ts";
import type { IapoSettings } from "../config/types.ts";

/** What may be left out, at every level. */
export type Partly<T> = T extends object ? { readonly [K in keyof T]?: Partly<T[K]> } : T;

export type ModelReference =
  /** On a hub. */
  | { readonly hub: { readonly repository: string } }
  /** A directory, or the name of a shipped model; `initialize`: random weights from this seed in place of its own. */
  | { readonly directory: string; readonly initialize?: number }
  /** What the run of another recipe, by name, has made. */
  | { readonly run: string };

export interface ExperimentRecipe {
  /** Unique; letters, digits and hyphens. */
  readonly name: string;
  readonly title: string;
  /** Which experiment of the paper it is, or is the small form of. */
  readonly source: string;
  readonly student: ModelReference;
  /** With `iapo`. */
  readonly teacher?: ModelReference;
  readonly grpo: Partly<GrpoSettings>;
  readonly iapo?: { readonly preset: IapoPreset } & Partial<IapoSettings>;
  /** In place of `iapo`; plain GRPO has neither. */
  readonly baseline?: Partial<BaselineOptions> & Pick<BaselineOptions, "kind">;
}

export interface ResolvedRecipe {
  readonly grpo: GrpoSettings;
  readonly iapo?: IapoSettings;
  readonly baseline?: BaselineOptions;
}

/** With all defaults in their places. @throws ZodError for a key or value that the schemas refuse */
export function resolveRecipe({ grpo, iapo, baseline }: ExperimentRecipe): ResolvedRecipe {
  return {
    grpo: grpoSettingsSchema.parse(grpo),
    ...(iapo && { iapo: iapoSettingsSchema.parse(iapo) }),
    ...(baseline && { baseline: baselineOptionsSchema.parse(baseline) }),
  };
}
