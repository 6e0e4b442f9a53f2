// An experiment as plain data: a complete configuration of `iapo train` or `iapo sft`, with its name and where it comes from.
import type { GrpoSettings } from "@iapo/grpo/config";
import type { NanoChartOptions } from "@iapo/vqa-tasks/nano";
import type { BaselineOptions } from "../baselines/config.ts";
import type { IapoPreset } from "../config/presets.ts";
import type { IapoSettings } from "../config/types.ts";
import type { Distillation } from "../distillation/settings.ts";

/** What may be left out, at every level. */
export type Partly<T> = T extends object ? { readonly [K in keyof T]?: Partly<T[K]> } : T;

export interface RecipeModel {
  /** A directory, or the name of a shipped model. */
  readonly directory?: string;
  /** In place of `directory`. */
  readonly hub?: { readonly repository: string };
  /** Random weights from this seed, in place of the model's own. */
  readonly initialize?: number;
  readonly dtype?: "f32" | "bf16";
  /** Larger images are reduced to so many pixels. */
  readonly maxPixels?: number;
}

export interface RecipeConfig {
  readonly model: RecipeModel & {
    readonly lora?: { readonly rank: number; readonly alpha: number };
    readonly recompute?: boolean;
  };
  /** With `iapo` or `distillation`. */
  readonly teacher?: RecipeModel & { readonly residence?: "resident" | "turns" };
  readonly data: { readonly nanoCharts: Partly<NanoChartOptions> };
  readonly environment?: { readonly prompt: "full" | "compact" };
  readonly grpo?: Partly<GrpoSettings>;
  readonly iapo?: { readonly preset: IapoPreset } & Partial<IapoSettings>;
  /** In place of `iapo`. */
  readonly distillation?: Partly<Distillation> & Pick<Distillation, "kind">;
  /** In place of both; plain GRPO has none of them. */
  readonly baseline?: Partial<BaselineOptions> & Pick<BaselineOptions, "kind">;
  /** Of a baseline whose verifier is a language model. */
  readonly verifier?: { readonly endpoint: string; readonly model: string };
  /** Of `iapo sft`, in place of all of them. */
  readonly supervised?: { readonly steps: number; readonly [key: string]: unknown };
}

export interface ExperimentRecipe {
  /** Unique; letters, digits and hyphens. */
  readonly name: string;
  /** One line. */
  readonly title: string;
  /** Which experiment of the paper it is, or is the small form of. */
  readonly source: string;
  readonly config: RecipeConfig;
  /** The recipe that makes its teacher, to be trained and exported to `config.teacher.directory` before. */
  readonly needs?: string;
}

/** Where the model that a recipe makes for others is exported to, relative to the working directory. */
export function madeModel(name: string): string {
  return `models/${name}`;
}
