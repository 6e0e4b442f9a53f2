// The penalty of a step's traces: calls found, explained, compared (docs/method.md F6 to F9).
import type { Penalty, PenaltyFunction } from "@iapo/grpo";
import { at } from "../at.ts";
import type { IapoSettings } from "../config/types.ts";
import { callDivergence } from "../penalty/divergence.ts";
import { lambdaAt } from "../penalty/lambda.ts";
import { noCallDivergence } from "../penalty/no-call.ts";
import { type CompareParts, comparison } from "./compare.ts";
import { type CallEvidence, comparedScores, type Explanation, type PenaltyEvidence } from "./evidence.ts";
import { type Group, groupOf, isScored } from "./group.ts";

export type PenaltyParts = CompareParts;

/** lambda D of every trace, with its evidence. Where lambda is 0, nothing is computed. */
export function attributionPenalty(parts: PenaltyParts): PenaltyFunction {
  const { settings, student } = parts;
  const compare = comparison(parts);
  return async (traces, step) => {
    const lambda = lambdaAt(settings, step);
    if (lambda === 0) return traces.map((group) => group.map(() => ({ penalty: 0 })));
    const groups = traces.map((group) => groupOf(group, settings, student));
    const compared = await compare(groups);
    return groups.map((group, i) =>
      explanations(group, at(compared, i), settings).map((evidence) => penaltyOf(evidence, lambda)),
    );
  };
}

function penaltyOf(explained: Explanation | undefined, lambda: number): Penalty {
  if (!explained) return { penalty: 0 };
  const evidence: PenaltyEvidence = { lambda: [lambda], ...explained };
  return { penalty: lambda * explained.divergence[0], evidence };
}

/** D of each trace of a group and what it is from; undefined for a trace that was dropped. */
function explanations(
  { traces, units }: Group,
  compared: readonly (CallEvidence | undefined)[],
  settings: IapoSettings,
): (Explanation | undefined)[] {
  const ofCall = compared.map((call): Explanation | undefined => {
    const scores = call && comparedScores(call);
    return scores && { divergence: [callDivergence(scores.call, scores.reference, settings)], ...call };
  });
  const divergences = ofCall.flatMap((call) => call?.divergence ?? []);
  return traces.map((trace, i) => {
    if (!isScored(trace)) return undefined;
    return ofCall[i] ?? { divergence: [noCallDivergence(settings.noCallPenalty, units.names.length, divergences)] };
  });
}
