// What each call of a step is compared with, by the settings' `compare` (docs/method.md F12).
import type { PromptBlock, Task, Trace } from "@iapo/rollout-trace";
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
import { type Group, groupOf } from "./group.ts";

export interface CompareParts {
  /** The policy in training, as it is when called. */
  readonly student: AttributionModel;
  readonly teacher: Teacher;
  readonly settings: IapoSettings;
  /** For settings in which the teacher writes calls of its own. */
  readonly teacherCalls: TeacherCalls | undefined;
  /** For the same: the prompt that a task is put by. */
  readonly prompt: (task: Task) => readonly PromptBlock[];
  /** Others who explain groups. */
  readonly elsewhere?: ExplainElsewhere | undefined;
}

interface Comparing extends CompareParts {
  readonly tokenizers: TokenizerCheck;
}

/** Who explains calls: the policy in training, or the teacher. */
export type Explainer = "student" | "teacher";

/** By group, to the bit what is explained here; undefined of a group that is to be explained here, also once nobody is left who does. */
export type ExplainElsewhere = (
  who: Explainer,
  groups: readonly (readonly Trace[])[],
) => readonly (Promise<Explained | undefined> | undefined)[];

/** For each call of a group the two explanations, undefined where there is no call. */
type Compared = readonly (CallEvidence | undefined)[];

/** Compares all calls of a step. Passes of the teacher come after those of the student, so that the two can take turns on the device. */
export function comparison(given: CompareParts): (groups: readonly Group[]) => Promise<Compared[]> {
  const parts: Comparing = { ...given, tokenizers: new TokenizerCheck(given.student, given.teacher.model) };
  const byTeacher = (groups: readonly Group[]): Promise<Explained[]> => {
    const { teacher, settings } = parts;
    return explained(teacher.model, rereadAll(teacher.model, groups, settings), settings);
  };
  switch (parts.settings.compare) {
    case "student_with_teacher":
      return (groups) => studentWithTeacher(parts, byTeacher, groups);
    case "teacher_with_own_call":
      return (groups) => teacherWithOwnCall(parts, byTeacher, groups);
    case "teacher_with_best_of_group":
      return async (groups) => {
        const scored = await readied(parts, groups, byTeacher);
        return scored.map(withBest);
      };
  }
}

/** What each call of a group rests on under one model. */
export type Explained = readonly (Explanation | undefined)[];
export interface Explanation {
  readonly logProb: number;
  /** [blocks] */
  readonly scores: readonly number[];
}

/**
 * Groups of traces explained by one model, as a recipe does it.
 * @param model the policy in training for `student`, the teacher for `teacher`
 */
export function explainGroups(
  who: Explainer,
  model: AttributionModel,
  traces: readonly (readonly Trace[])[],
  settings: IapoSettings,
): Promise<Explained[]> {
  const groups = traces.map((group) => groupOf(group, settings, model));
  return explained(model, who === "teacher" ? rereadAll(model, groups, settings) : groups, settings);
}

function rereadAll(model: AttributionModel, groups: readonly Group[], settings: IapoSettings): CallGroup[] {
  return groups.map((group) => rereadBy(model, group, at(group.traces, 0).blocks, partitionOptions(settings)));
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
  parts: Comparing,
  byTeacher: (groups: readonly Group[]) => Promise<Explained[]>,
  groups: readonly Group[],
): Promise<Compared[]> {
  const { student, settings, teacherCalls, prompt } = parts;
  const own = await shared(parts, "student", groups, (some) => explained(student, some, settings));
  const others: readonly (readonly (Pick<Explanation, "scores"> | undefined)[])[] = teacherCalls
    ? (await ownCalls(teacherCalls, groups, prompt)).map((call, i) => at(groups, i).calls.map(() => call))
    : await readied(parts, groups, byTeacher);
  return own.map((scored, i) =>
    scored.map((call, k) => {
      const other = at(others, i)[k];
      return call && other && { student_scores: call.scores, teacher_scores: other.scores };
    }),
  );
}

/** The teacher is readied once for what it writes and what it scores. */
async function teacherWithOwnCall(
  parts: Comparing,
  byTeacher: (groups: readonly Group[]) => Promise<Explained[]>,
  groups: readonly Group[],
): Promise<Compared[]> {
  const { teacher, teacherCalls, prompt } = parts;
  if (!teacherCalls)
    throw new IapoError("teacher", "compare teacher_with_own_call needs what writes the teacher's calls");
  const [own, scored] = await withTeacher(
    teacher,
    async () =>
      [await ownCalls(teacherCalls, groups, prompt), await shared(parts, "teacher", groups, byTeacher)] as const,
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
function readied(
  parts: Comparing,
  groups: readonly Group[],
  byTeacher: (some: readonly Group[]) => Promise<Explained[]>,
): Promise<Explained[]> {
  const { teacher } = parts;
  return shared(parts, "teacher", groups, async (some) =>
    some.some(hasCall)
      ? withTeacher(teacher, () => byTeacher(some))
      : some.map(({ calls }) => calls.map(() => undefined)),
  );
}

function hasCall({ calls }: Group): boolean {
  return calls.some((call) => call !== undefined);
}

/** Explained by others where they do, and the rest here, together. */
async function shared(
  { elsewhere, tokenizers }: Comparing,
  who: Explainer,
  groups: readonly Group[],
  here: (some: readonly Group[]) => Promise<Explained[]>,
): Promise<Explained[]> {
  const calls = who === "teacher" ? groups.flatMap((group) => group.calls) : [];
  for (const call of calls) if (call) tokenizers.check(call);
  if (!elsewhere) return here(groups);
  const asked = groups.filter(hasCall);
  const given = await Promise.all(
    elsewhere(
      who,
      asked.map(({ traces }) => traces),
    ),
  );
  const found = new Map(asked.map((group, i) => [group, given[i]]));
  const left = groups.filter((group) => found.get(group) === undefined);
  const made = left.length > 0 ? await here(left) : [];
  for (const [i, group] of left.entries()) found.set(group, at(made, i));
  return groups.map((group) => found.get(group) ?? []);
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
