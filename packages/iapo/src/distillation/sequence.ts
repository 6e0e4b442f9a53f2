// On-policy distillation by sequence: what a call costs is how unlikely the teacher finds it.
import type { Penalty, PenaltyFunction, TurnAdvantageFunction } from "@iapo/grpo";
import { decoupledAdvantages } from "@iapo/grpo/math";
import type { ImageRef, SampleLog, Trace } from "@iapo/rollout-trace";
import { at } from "../at.ts";
import { IapoError } from "../error.ts";
import { lambdaAt } from "../penalty/lambda.ts";
import type { AttributionModel } from "../scoring/model.ts";
import { findCall, firstTurn } from "../scoring/span.ts";
import type { SequenceDistillation } from "./settings.ts";

/** As a step's log keeps it: lambda of the step, c, and of a call the log-prob that the teacher gives it. */
interface SequenceEvidence extends Readonly<Record<string, readonly number[]>> {
  readonly lambda: readonly [number];
  readonly divergence: readonly [number];
  readonly call_log_prob?: readonly [number];
}

/** Undefined of a sample that was dropped. */
export function sequenceEvidence(evidence: SampleLog["evidence"]): SequenceEvidence | undefined {
  return evidence?.lambda && evidence.divergence ? (evidence as SequenceEvidence) : undefined;
}

/** c from the evidence. */
export function sequenceCost(
  { call_log_prob }: Pick<SequenceEvidence, "call_log_prob">,
  { cap, noCall }: Pick<SequenceDistillation, "cap" | "noCall">,
): number {
  return call_log_prob ? Math.min(cap, -call_log_prob[0]) : noCall;
}

/** lambda c of every trace. First turns are scored alone. @throws IapoError `teacher` without a teacher */
export function sequencePenalty(
  settings: SequenceDistillation,
  student: Pick<AttributionModel, "tokenBytes">,
): PenaltyFunction {
  return async (groups, step, scorers) => {
    const { teacher } = scorers ?? {};
    if (!teacher) throw new IapoError("teacher", "distillation by sequence needs a teacher that scores");
    const lambda = lambdaAt({ ...settings, coldStartSteps: 0 }, step);
    const found = groups.flat().map((trace) => ({ trace, targets: targetsOf(trace, settings, student) }));
    const calls = found.flatMap(({ trace, targets }) => (targets ? [{ trace, targets }] : []));
    const scores = await teacher.logProbs(
      calls.map(({ trace }) => ({ trace: { ...trace, turns: [firstTurn(trace)] } })),
    );
    const logProbs = new Map(calls.map(({ trace, targets }, i) => [trace, sumOver(at(scores, i), targets)]));
    return groups.map((traces) => traces.map((trace) => penaltyOf(trace, logProbs.get(trace), lambda, settings)));
  };
}

function penaltyOf(
  { rewards }: Trace,
  logProb: number | undefined,
  lambda: number,
  settings: SequenceDistillation,
): Penalty {
  if (rewards.outcome === undefined) return { penalty: 0 };
  const ofCall = logProb === undefined ? {} : { call_log_prob: [logProb] as const };
  const cost = sequenceCost(ofCall, settings);
  const evidence: SequenceEvidence = { lambda: [lambda], divergence: [cost], ...ofCall };
  return { penalty: lambda * cost, evidence };
}

/** [sampled tokens of the first turn] which of them are scored; undefined where the turn was read as calling no tool, or was dropped. */
function targetsOf(
  trace: Trace,
  { target }: SequenceDistillation,
  student: Pick<AttributionModel, "tokenBytes">,
): readonly boolean[] | undefined {
  if (trace.rewards.outcome === undefined) return undefined;
  if ((trace.toolOutcomes[0]?.status ?? "no_tool") === "no_tool") return undefined;
  const turn = firstTurn(trace);
  const call = findCall(turn, target, student);
  return call && [...call.targets].flatMap((wanted, i) => (turn.lossMask[i] === 1 ? [wanted === 1] : []));
}

function sumOver(logProbs: ArrayLike<number>, targets: readonly boolean[]): number {
  return targets.reduce((sum, wanted, i) => (wanted ? sum + at(logProbs, i) : sum), 0);
}

/** `norm(r) - lambda norm(c)`; other penalties, such as for length, count as part of r. */
export function sequenceAdvantage(settings: SequenceDistillation, epsilon: number): TurnAdvantageFunction {
  return (samples) => {
    const parts = samples.map(({ rewards, penalty, evidence }) => {
      const found = sequenceEvidence(evidence);
      const [lambda = 0] = found?.lambda ?? [];
      const cost = found ? sequenceCost(found, settings) : 0;
      return { lambda, cost, outcome: (rewards.outcome ?? Number.NaN) - (penalty - lambda * cost) };
    });
    const lambda = parts.reduce((most, part) => Math.max(most, part.lambda), 0);
    const outcomes = parts.map(({ outcome }) => outcome);
    const costs = parts.map(({ cost, outcome }) => (Number.isNaN(outcome) ? Number.NaN : cost));
    const perSample = decoupledAdvantages(
      [
        { values: outcomes, weight: 1 },
        { values: costs, weight: -lambda, tolerance: settings.tolerance },
      ],
      samples.map(({ trace }) => trace.group),
      { epsilon, whiten: false },
    );
    return samples.map(({ trace }, i) => trace.turns.map(() => at(perSample, i)));
  };
}

/** lambda c recomputed from a trace's evidence. */
export function replayedCost(
  trace: Pick<Trace<ImageRef>, "step">,
  evidence: SampleLog["evidence"],
  settings: SequenceDistillation,
): number {
  const found = sequenceEvidence(evidence);
  return found ? lambdaAt({ ...settings, coldStartSteps: 0 }, trace.step) * sequenceCost(found, settings) : 0;
}
