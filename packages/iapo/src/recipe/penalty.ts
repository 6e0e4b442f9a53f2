// The penalty of a step's traces: calls found, explained by student and teacher, compared (specs `method` F6 to F9).
import type { Penalty, PenaltyFunction } from "@iapo/grpo";
import type { PromptBlock, Task, Trace } from "@iapo/rollout-trace";
import type { IapoSettings } from "../config/types.ts";
import { IapoError } from "../error.ts";
import { callDivergence } from "../penalty/divergence.ts";
import { lambdaAt } from "../penalty/lambda.ts";
import { noCallDivergence } from "../penalty/no-call.ts";
import type { AttributionModel, Call } from "../scoring/model.ts";
import { scoreCalls } from "../scoring/score.ts";
import { blockMethod, partitionOptions } from "../scoring/settings.ts";
import { findCall } from "../scoring/span.ts";
import { promptUnits } from "../scoring/units.ts";
import { type Teacher, TokenizerCheck } from "../teacher/teacher.ts";
import type { TeacherCalls } from "../teacher/teacher-calls.ts";
import type { PenaltyEvidence } from "./evidence.ts";

export interface PenaltyParts {
  /** The policy in training, as it is when called. */
  readonly student: AttributionModel;
  readonly teacher: Teacher;
  readonly settings: IapoSettings;
  /** For `teacher_call`. */
  readonly teacherCalls: TeacherCalls | undefined;
  /** For `teacher_call`: the prompt that a task is put by. */
  readonly prompt: (task: Task) => readonly PromptBlock[];
}

/** lambda D of every trace, with its evidence. Where lambda is 0, nothing is computed. */
export function attributionPenalty(parts: PenaltyParts): PenaltyFunction {
  const { settings, student, teacher, teacherCalls } = parts;
  const tokenizers = new TokenizerCheck(student, teacher.model);
  return async (groups, step) => {
    const lambda = lambdaAt(settings, step);
    if (lambda === 0) return groups.map((traces) => traces.map(() => ({ penalty: 0 })));
    const prompts = teacherCalls ? groups.map(([trace]) => parts.prompt(trace!.task)) : [];
    const own = await teacherCalls?.to(prompts);
    const penalties: Penalty[][] = [];
    for (const [group, traces] of groups.entries()) {
      const explained = await explain(parts, traces, own?.[group], tokenizers);
      penalties.push(explained.map((evidence) => penaltyOf(evidence, lambda)));
    }
    return penalties;
  };
}

type Explained = Omit<PenaltyEvidence, "lambda"> | undefined;

function penaltyOf(explained: Explained, lambda: number): Penalty {
  if (!explained) return { penalty: 0 };
  const evidence: PenaltyEvidence = { lambda: [lambda], ...explained };
  return { penalty: lambda * explained.divergence[0], evidence };
}

/** D of each trace of a group and the scores it is from; undefined for a trace that was dropped. */
async function explain(
  { settings, student, teacher }: PenaltyParts,
  traces: readonly Trace[],
  teacherCall: { readonly names: readonly string[]; readonly scores: readonly number[] } | undefined,
  tokenizers: TokenizerCheck,
): Promise<Explained[]> {
  const [first] = traces;
  if (!first) return [];
  const units = promptUnits(first.blocks, first.turns[0]!, partitionOptions(settings));
  const method = blockMethod(settings);
  const calls = traces.map((trace) => (isScored(trace) ? callOf(trace, settings, student) : undefined));
  const byStudent = await scoreCalls(student, calls, units, method);
  let byTeacher: readonly (readonly number[] | undefined)[];
  if (teacherCall) {
    if (teacherCall.names.join() !== units.names.join()) {
      throw new IapoError(
        "shape",
        `the student's prompt has the blocks ${units.names.join(", ")}, the teacher's ${teacherCall.names.join(", ")}`,
      );
    }
    byTeacher = calls.map((call) => call && teacherCall.scores);
  } else {
    for (const call of calls) if (call) tokenizers.check(call);
    const scored = await scoreCalls(teacher.model, calls, units, method);
    byTeacher = scored.map((result) => result && [...result.blockScores]);
  }
  const divergences = calls.map((_, i) => {
    const [own, other] = [byStudent[i]?.blockScores, byTeacher[i]];
    return own && other ? callDivergence(own, other, settings) : undefined;
  });
  const ofCalls = divergences.filter((divergence) => divergence !== undefined);
  return traces.map((trace, i): Explained => {
    if (!isScored(trace)) return undefined;
    const divergence = divergences[i];
    if (divergence === undefined) {
      return { divergence: [noCallDivergence(settings.noCallPenalty, units.names.length, ofCalls)] };
    }
    return { divergence: [divergence], student_scores: [...byStudent[i]!.blockScores], teacher_scores: byTeacher[i]! };
  });
}

function isScored({ rewards }: Trace): boolean {
  return rewards.outcome !== undefined;
}

/** What of a trace is explained; undefined where its first turn was read as calling no tool. */
function callOf(
  { turns, toolOutcomes }: Trace,
  { target, noCallPenalty }: IapoSettings,
  model: AttributionModel,
): Call | undefined {
  const [turn] = turns;
  const called = toolOutcomes.length > 0 && toolOutcomes[0]!.status !== "no_tool";
  const call = called ? findCall(turn!, target, model) : undefined;
  return call ?? (noCallPenalty === "turn1_attribution" ? findCall(turn!, "turn1", model) : undefined);
}
