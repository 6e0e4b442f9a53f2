// On-policy distillation by token: the teacher's log-probs of the student's own tokens are evidence, and each token's advantage has its share.
import type { ReplayedSample, TurnAdvantage } from "@iapo/rollout-trace";
import { GrpoError } from "../error.ts";
import { at } from "../math/batch.ts";
import { distilledAdvantages } from "../math/distillation.ts";
import type { AdvantageFunction, PenaltyFunction } from "../run/shaping.ts";
import type { TokenDistillation } from "./settings.ts";

/** Of the evidence: [T] the teacher's log-probs of a sample's tokens. */
export const TEACHER_EVIDENCE = "distillation_log_probs";

/** Another penalty, or none, with the teacher's log-probs beside its evidence. */
export function withTeacherLogProbs<Content>(penalty: PenaltyFunction<Content> | undefined): PenaltyFunction<Content> {
  return async (groups, step, scorers) => {
    if (!scorers?.teacher) throw new GrpoError("argument", "distillation needs a teacher");
    const given = await penalty?.(groups, step, scorers);
    const scores = (await scorers.teacher.logProbs(groups.flat().map((trace) => ({ trace })))).values();
    return groups.map((traces, group) =>
      traces.map((_, i) => {
        const { penalty: own = 0, evidence } = given?.[group]?.[i] ?? {};
        return { penalty: own, evidence: { ...evidence, [TEACHER_EVIDENCE]: [...(scores.next().value ?? [])] } };
      }),
    );
  };
}

/** Advantages of the rewards, token by token mixed with those of the teacher: see `distilledAdvantages`. */
export function tokenAdvantages(settings: TokenDistillation, ofRewards: AdvantageFunction): AdvantageFunction {
  return (samples) => {
    const all = ofRewards(samples);
    return samples.map((sample, i) => mixed(sample, at(all, i), settings));
  };
}

/** A sample that was dropped keeps what it has. */
function mixed(
  {
    trace: { turns },
    shapedReward,
    evidence,
  }: Pick<ReplayedSample, "shapedReward" | "evidence"> & {
    readonly trace: { readonly turns: readonly { readonly logProbs: Float32Array }[] };
  },
  ofRewards: readonly TurnAdvantage[],
  settings: TokenDistillation,
): readonly TurnAdvantage[] {
  const teacher = evidence?.[TEACHER_EVIDENCE];
  if (!teacher || Number.isNaN(shapedReward)) return ofRewards;
  let start = 0;
  return turns.map(({ logProbs }, turn) => {
    const own = at(ofRewards, turn);
    const given = typeof own === "number" ? new Float64Array(logProbs.length).fill(own) : own;
    const scores = teacher.slice(start, start + logProbs.length);
    start += logProbs.length;
    return [...distilledAdvantages(given, logProbs, scores, settings)];
  });
}
