// The rewards of a trace, recomputed from what it holds: the answer is scored, the tool's outcome is read, nothing runs again.
import { type RewardFunction, withOwnReward } from "@iapo/grpo";
import { createBaseline, recordedVerifier } from "@iapo/iapo";
import type { ImageRef, ReplayFunctions, Trace } from "@iapo/rollout-trace";
import type { Tool } from "@iapo/visual-tools";
import { rewardParts, storedVisualContent } from "@iapo/vqa-tasks";
import { createScorer } from "@iapo/vqa-tasks/scoring";
import type { JobConfig } from "../config/schema.ts";

type Rewards = Readonly<Record<string, number>>;

/**
 * What no seed governs is taken as the trace holds it: a judge's and a verifier's verdict, and the outcome of an episode that failed.
 * @param tools those that programs could call
 * @param own the user's own reward function, where the run has one
 */
export function recomputeRewards(
  { environment, baseline, grpo }: Pick<JobConfig, "environment" | "baseline" | "grpo">,
  own: RewardFunction | undefined,
  tools: readonly Tool[],
): ReplayFunctions["rewards"] {
  const { scoring } = environment;
  const score = scoring.scoring === "judge" ? undefined : createScorer(scoring);
  const added = baseline ? baselineReward(baseline) : own;
  return async (trace) => {
    const { rewards: logged, task, turns, toolOutcomes } = trace;
    const parts = Object.keys(logged);
    if (parts.length === 0) return {};
    if (grpo.rollout.onFailure === "penalize" && parts.join() === "outcome") return logged;
    const text = turns.at(-1)?.text ?? "";
    const judged = logged.accuracy ?? logged.outcome ?? Number.NaN;
    const content = storedVisualContent(task);
    const outcome = score ? (await score({ ...content, source: task.source }, text)).value : judged;
    const [tool] = toolOutcomes;
    const fresh: Rewards = { outcome, ...(tool && rewardParts(content, withoutImage(tool), tools)) };
    if (!added) return fresh;
    const verdict = logged.tool_verdict === undefined ? {} : { tool_verdict: logged.tool_verdict };
    const whole = { ...trace, rewards: { ...fresh, ...verdict } } as Parameters<RewardFunction>[0];
    return (await withOwnReward(whole, added)).rewards;
  };
}

function baselineReward(options: NonNullable<JobConfig["baseline"]>): RewardFunction {
  const none = (): never => {
    throw new Error("advantages are not asked for here");
  };
  const { reward } = createBaseline<ImageRef>(options, { advantage: none, verify: recordedVerifier });
  return reward as (trace: Trace<ImageRef>) => Rewards | Promise<Rewards>;
}

/** Reward parts look at no pixel. */
function withoutImage(tool: Trace<ImageRef>["toolOutcomes"][number]): Parameters<typeof rewardParts>[1] {
  return { ...tool, image: undefined };
}
