// What a call of the wrong axis of a chart comes to: the two regimes of a demo, and what each leaves to be seen by an outcome alone.
import type { EnvironmentOptions } from "@iapo/vqa-tasks";

export const regimes = ["strict", "blind"] as const;
export type Regime = (typeof regimes)[number];

const strictOrientation: Readonly<Record<Regime, boolean>> = { strict: true, blind: false };

/** As `--set` takes it. */
export function regimeSetting(regime: Regime): string {
  return `environment.tools.strictOrientation=${strictOrientation[regime]}`;
}

/** What a demo of each is trained by, and for how many steps, unless it is said. */
export const demoOf: Readonly<Record<Regime, { readonly recipe: string; readonly steps: number }>> = {
  strict: { recipe: "nano-iapo-occlusion", steps: 20 },
  blind: { recipe: "nano-iapo-anchored", steps: 30 },
};

/** Undefined between the two. */
export function regimeOf({ tools }: Pick<EnvironmentOptions, "tools">): Regime | undefined {
  return regimes.find((regime) => tools.strictOrientation === strictOrientation[regime]);
}

/** What plain GRPO, which has the answer's reward alone, can see of the tool call. */
export const whatGrpoSees: Readonly<Record<Regime, string>> = {
  strict:
    "Here a call of the wrong axis shows nothing, and the answer after it is worse: GRPO, which sees the answer alone, is told by it which axis is right.",
  blind:
    "Here a call of the wrong axis paints the same pixels as one of the right axis, and the answer after it is as good: which of the two was called is what GRPO, which sees the answer alone, cannot see.",
};
