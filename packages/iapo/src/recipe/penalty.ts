// The penalty of a step's traces: calls found, explained by student and teacher, compared (docs/method.md F6 to F9).
import type { Partition } from "@iapo/attribution/math";
import type { Penalty, PenaltyFunction } from "@iapo/grpo";
import type { PromptBlock, Task, Trace } from "@iapo/rollout-trace";
import { at } from "../at.ts";
import type { IapoSettings } from "../config/types.ts";
import { IapoError } from "../error.ts";
import { callDivergence } from "../penalty/divergence.ts";
import { lambdaAt } from "../penalty/lambda.ts";
import { noCallDivergence } from "../penalty/no-call.ts";
import type { AttributionModel, Call } from "../scoring/model.ts";
import { scorePresentCalls } from "../scoring/score.ts";
import { blockMethod, partitionOptions } from "../scoring/settings.ts";
import { findCall, firstTurn } from "../scoring/span.ts";
import { promptUnits } from "../scoring/units.ts";
import { type Teacher, TokenizerCheck, withTeacher } from "../teacher/teacher.ts";
import type { TeacherCalls } from "../teacher/teacher-calls.ts";
import type { Explanation, PenaltyEvidence } from "./evidence.ts";

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

/**
 * lambda D of every trace, with its evidence. Where lambda is 0, nothing is computed. All groups are explained by the student, then all by
 * the teacher, which may take its turn on the device in between.
 */
export function attributionPenalty(parts: PenaltyParts): PenaltyFunction {
  const { settings, student, teacher } = parts;
  const method = blockMethod(settings);
  const tokenizers = new TokenizerCheck(student, teacher.model);
  return async (traces, step) => {
    const lambda = lambdaAt(settings, step);
    if (lambda === 0) return traces.map((group) => group.map(() => ({ penalty: 0 })));
    const groups = traces.map((group) => toExplain(group, settings, student));
    const byStudent = await pipelined(groups, async ({ calls, units }) =>
      scoresOf(await scorePresentCalls(student, calls, units, method)),
    );
    const byTeacher = await teacherScores(parts, groups, tokenizers);
    return groups.map((group, i) =>
      explained(group, at(byStudent, i), at(byTeacher, i), settings).map((evidence) => penaltyOf(evidence, lambda)),
    );
  };
}

/** The traces of one prompt, its blocks, and what of each trace is explained. */
interface Group {
  readonly traces: readonly Trace[];
  readonly units: Partition;
  readonly calls: readonly (Call | undefined)[];
}

/** [blocks] of each call. */
type Scores = readonly (readonly number[] | undefined)[];

type Explained = Explanation | undefined;

function penaltyOf(explained: Explained, lambda: number): Penalty {
  if (!explained) return { penalty: 0 };
  const evidence: PenaltyEvidence = { lambda: [lambda], ...explained };
  return { penalty: lambda * explained.divergence[0], evidence };
}

/** A rollout's groups are never empty: dropped traces stay in them. */
function toExplain(traces: readonly Trace[], settings: IapoSettings, student: AttributionModel): Group {
  const first = at(traces, 0);
  const units = promptUnits(first.blocks, firstTurn(first), partitionOptions(settings));
  const calls = traces.map((trace) => (isScored(trace) ? callOf(trace, settings, student) : undefined));
  return { traces, units, calls };
}

function scoresOf(results: Awaited<ReturnType<typeof scorePresentCalls>>): Scores {
  return results.map((result) => result && [...result.blockScores]);
}

/** What the teacher says: of the student's calls, or by its own call to the prompt. */
async function teacherScores(
  { settings, teacher, teacherCalls, prompt }: PenaltyParts,
  groups: readonly Group[],
  tokenizers: TokenizerCheck,
): Promise<Scores[]> {
  if (teacherCalls) {
    const own = await teacherCalls.to(groups.map(({ traces }) => prompt(at(traces, 0).task)));
    return groups.map(({ units, calls }, i) => {
      const { names, scores } = at(own, i);
      if (names.join() !== units.names.join()) {
        throw new IapoError(
          "shape",
          `the student's prompt has the blocks ${units.names.join(", ")}, the teacher's ${names.join(", ")}`,
        );
      }
      return calls.map((call) => call && scores);
    });
  }
  const all = groups.flatMap(({ calls }) => calls.filter((call) => call !== undefined));
  if (all.length === 0) return groups.map(({ calls }) => calls.map(() => undefined));
  for (const call of all) tokenizers.check(call);
  return withTeacher(teacher, () =>
    pipelined(groups, async ({ calls, units }) =>
      scoresOf(await scorePresentCalls(teacher.model, calls, units, blockMethod(settings))),
    ),
  );
}

/** Results in order. An item is recorded while the device is at work on the one before. */
async function pipelined<T, R>(items: readonly T[], work: (item: T) => Promise<R>): Promise<R[]> {
  const made: R[] = [];
  let before: Promise<R> | undefined;
  for (const item of items) {
    const current = work(item);
    current.catch(() => {}); // it is awaited below, unless the one before fails
    if (before) made.push(await before);
    before = current;
  }
  if (before) made.push(await before);
  return made;
}

/** D of each trace of a group and the scores it is from; undefined for a trace that was dropped. */
function explained(
  { traces, units }: Group,
  byStudent: Scores,
  byTeacher: Scores,
  settings: IapoSettings,
): Explained[] {
  const ofCall = traces.map((_, i): Explained => {
    const [own, other] = [byStudent[i], byTeacher[i]];
    if (!own || !other) return undefined;
    return { divergence: [callDivergence(own, other, settings)], student_scores: own, teacher_scores: other };
  });
  const divergences = ofCall.flatMap((call) => call?.divergence ?? []);
  return traces.map((trace, i): Explained => {
    if (!isScored(trace)) return undefined;
    return ofCall[i] ?? { divergence: [noCallDivergence(settings.noCallPenalty, units.names.length, divergences)] };
  });
}

function isScored({ rewards }: Trace): boolean {
  return rewards.outcome !== undefined;
}

/** What of a trace is explained; undefined where its first turn was read as calling no tool. */
function callOf(trace: Trace, { target, noCallPenalty }: IapoSettings, model: AttributionModel): Call | undefined {
  const turn = firstTurn(trace);
  const called = (trace.toolOutcomes[0]?.status ?? "no_tool") !== "no_tool";
  const call = called ? findCall(turn, target, model) : undefined;
  return call ?? (noCallPenalty === "turn1_attribution" ? findCall(turn, "turn1", model) : undefined);
}
