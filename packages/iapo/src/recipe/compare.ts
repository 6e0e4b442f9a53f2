// What each call of a step is compared with, by the settings' `compare` (docs/method.md F12).
import type { PromptBlock, Task } from "@iapo/rollout-trace";
import { at } from "../at.ts";
import type { IapoSettings } from "../config/types.ts";
import { IapoError } from "../error.ts";
import type { AttributionModel } from "../scoring/model.ts";
import { rereadBy } from "../scoring/reread.ts";
import { type CallGroup, scoreGroups } from "../scoring/score.ts";
import { blockMethod, partitionOptions } from "../scoring/settings.ts";
import type { ScoredCall } from "../teacher/call-cache.ts";
import { type Teacher, TokenizerCheck, withTeacher } from "../teacher/teacher.ts";
import type { TeacherCalls } from "../teacher/teacher-calls.ts";
import type { CallEvidence } from "./evidence.ts";
import type { Group } from "./group.ts";

export interface CompareParts {
  /** The policy in training, as it is when called. */
  readonly student: AttributionModel;
  readonly teacher: Teacher;
  readonly settings: IapoSettings;
  /** For settings in which the teacher writes calls of its own. */
  readonly teacherCalls: TeacherCalls | undefined;
  /** For the same: the prompt that a task is put by. */
  readonly prompt: (task: Task) => readonly PromptBlock[];
}

/** For each call of a group the two explanations, undefined where there is no call. */
type Compared = readonly (CallEvidence | undefined)[];

/** Compares all calls of a step. Passes of the teacher come after those of the student, so that the two can take turns on the device. */
export function comparison(parts: CompareParts): (groups: readonly Group[]) => Promise<Compared[]> {
  const tokenizers = new TokenizerCheck(parts.student, parts.teacher.model);
  const byTeacher = (groups: readonly Group[]): Promise<Explained[]> => {
    for (const { calls } of groups) for (const call of calls) if (call) tokenizers.check(call);
    const { teacher, settings } = parts;
    const read = groups.map((group) =>
      rereadBy(teacher.model, group, at(group.traces, 0).blocks, partitionOptions(settings)),
    );
    return explained(teacher.model, read, settings);
  };
  switch (parts.settings.compare) {
    case "student_with_teacher":
      return (groups) => studentWithTeacher(parts, byTeacher, groups);
    case "teacher_with_own_call":
      return (groups) => teacherWithOwnCall(parts, byTeacher, groups);
    case "teacher_with_best_of_group":
      return async (groups) => {
        const scored = await readied(parts.teacher, groups, () => byTeacher(groups));
        return scored.map(withBest);
      };
  }
}

/** What each call of a group rests on under one model. */
type Explained = readonly (Explanation | undefined)[];
interface Explanation {
  readonly logProb: number;
  /** [blocks] */
  readonly scores: readonly number[];
}

async function explained(
  model: AttributionModel,
  groups: readonly CallGroup[],
  settings: IapoSettings,
): Promise<Explained[]> {
  const scored = await scoreGroups(model, groups, blockMethod(settings));
  return scored.map((calls) =>
    calls.map((call) => call && { logProb: call.targetLogProb, scores: [...call.blockScores] }),
  );
}

async function studentWithTeacher(
  { student, teacher, settings, teacherCalls, prompt }: CompareParts,
  byTeacher: (groups: readonly Group[]) => Promise<Explained[]>,
  groups: readonly Group[],
): Promise<Compared[]> {
  const own = await explained(student, groups, settings);
  const others: readonly (readonly (Pick<Explanation, "scores"> | undefined)[])[] = teacherCalls
    ? (await ownCalls(teacherCalls, groups, prompt)).map((call, i) => at(groups, i).calls.map(() => call))
    : await readied(teacher, groups, () => byTeacher(groups));
  return own.map((scored, i) =>
    scored.map((call, k) => {
      const other = at(others, i)[k];
      return call && other && { student_scores: call.scores, teacher_scores: other.scores };
    }),
  );
}

/** The teacher is readied once for what it writes and what it scores. */
async function teacherWithOwnCall(
  { teacher, teacherCalls, prompt }: CompareParts,
  byTeacher: (groups: readonly Group[]) => Promise<Explained[]>,
  groups: readonly Group[],
): Promise<Compared[]> {
  if (!teacherCalls)
    throw new IapoError("teacher", "compare teacher_with_own_call needs what writes the teacher's calls");
  const [own, scored] = await withTeacher(
    teacher,
    async () => [await ownCalls(teacherCalls, groups, prompt), await byTeacher(groups)] as const,
  );
  return scored.map((calls, i) => calls.map((call) => call && anchored(call, at(own, i).scores)));
}

/** The reference is the group's call that the teacher finds likeliest, the first of those that are equally likely. */
function withBest(calls: Explained): Compared {
  let best: Explanation | undefined;
  for (const call of calls) if (call && !(best && best.logProb >= call.logProb)) best = call;
  return calls.map((call) => call && anchored(call, (best ?? call).scores));
}

function anchored({ logProb, scores }: Explanation, reference: readonly number[]): CallEvidence {
  return { call_scores: scores, reference_scores: reference, call_log_prob: [logProb] };
}

/** Readies the teacher where there is anything to score. */
async function readied(
  teacher: Teacher,
  groups: readonly Group[],
  work: () => Promise<Explained[]>,
): Promise<Explained[]> {
  const none = groups.every(({ calls }) => calls.every((call) => call === undefined));
  return none ? groups.map(({ calls }) => calls.map(() => undefined)) : withTeacher(teacher, work);
}

/** The teacher's own call to the prompt of each group. @throws IapoError `shape` where its prompt has other blocks */
async function ownCalls(
  teacherCalls: TeacherCalls,
  groups: readonly Group[],
  prompt: CompareParts["prompt"],
): Promise<ScoredCall[]> {
  const own = await teacherCalls.to(groups.map(({ traces }) => prompt(at(traces, 0).task)));
  own.forEach(({ names }, i) => {
    const { units } = at(groups, i);
    if (names.join() === units.names.join()) return;
    throw new IapoError(
      "shape",
      `the student's prompt has the blocks ${units.names.join(", ")}, the teacher's ${names.join(", ")}`,
    );
  });
  return own;
}
