// How an episode runs, and the presets of the two published codes (method.md sections 0, B and I).
import { defaultToolOptions, type ToolOptions, toolPresets } from "@iapo/visual-tools";
import { defaultScoringOptions, type ScoringOptions, scoringPresets } from "../scoring/score.ts";

export interface EnvironmentOptions {
  /** `module`: exports own tools in place of the six; whoever loads it gives them to `createEnvironment`. */
  readonly tools: ToolOptions & { readonly module?: string | undefined };
  readonly scoring: ScoringOptions;
  /**
   * How the second turn gets the edited image: `append` as a new user message after the first turn (v2), `rebuild` in a
   * prompt of its own with both images before the question and the first turn in the assistant's mouth (v1).
   */
  readonly secondTurn: "append" | "rebuild";
  /** Whether a failed program gets a second turn that says so; else the first turn's text is the answer. */
  readonly failureFeedback: boolean;
  /** `full`: the instructions of visual-tools. `compact`: a line for each tool, for models that are taught what they mean. */
  readonly prompt: "full" | "compact";
  /** Where masking rows leaves the first one alone: `always`, as published, or only on `tables`, whose first row is a header. */
  readonly firstRowStays: "always" | "tables";
  /** Image and question before the instructions, as v1 has them; else what all questions share comes first. */
  readonly questionFirst: boolean;
  /** Exports an environment and tasks of its own, in place of this package's: whoever loads it reads none of the other options. */
  readonly module?: string | undefined;
  /** What that module is given. */
  readonly options?: Readonly<Record<string, unknown>> | undefined;
  /** Temperature of the second turn where it is not that of the run. */
  readonly secondTemperature?: number | undefined;
}

export type EnvironmentPreset = "default" | "vtool_v1" | "vtool_v2";

/**
 * `default` is v2's flow with its holes closed: names without a box are left out, a chart's wrong axis has no boxes and
 * its first bar is a bar like any other, nothing is edited in place, and answers are compared here, not by a judge.
 */
export const environmentPresets: Readonly<Record<EnvironmentPreset, EnvironmentOptions>> = {
  default: {
    tools: { ...defaultToolOptions, strictOrientation: true },
    scoring: defaultScoringOptions,
    secondTurn: "append",
    failureFeedback: true,
    prompt: "full",
    firstRowStays: "tables",
    questionFirst: false,
  },
  vtool_v1: {
    tools: toolPresets.vtool_v1,
    scoring: scoringPresets.vtool_v1,
    secondTurn: "rebuild",
    failureFeedback: false,
    prompt: "full",
    firstRowStays: "always",
    questionFirst: true,
    secondTemperature: 0.5,
  },
  vtool_v2: {
    tools: toolPresets.vtool_v2,
    scoring: scoringPresets.vtool_v2,
    secondTurn: "append",
    failureFeedback: true,
    prompt: "full",
    firstRowStays: "always",
    questionFirst: true,
  },
};
