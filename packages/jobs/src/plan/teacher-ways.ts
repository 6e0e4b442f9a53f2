// The ways in which a teacher can take part, and the most bytes that each has on the device at once.
import { type ModelBytes, teacherWays } from "@iapo/attribution";
import type { IapoSettings } from "@iapo/iapo/config";
import { type AdapterFacts, planningDevice } from "@iapo/tensor-core";
import type { JobConfig } from "../config/schema.ts";
import { oneStep } from "./one-step.ts";

export interface TeacherWay {
  readonly way: "resident" | "turns" | "cached";
  /** In place of those of the configuration, as `openJob` takes them. */
  readonly settings: readonly string[];
  readonly peakBytes: number;
}

/**
 * One step in turns measures student and teacher apart; the ways follow. For a cached teacher it is a step in which the teacher writes and scores
 * calls of its own: `cacheTeacherCalls` does so without the student; where the teacher scores the student's calls, there is no such way. Null for
 * a run without a teacher.
 */
export async function planTeacherWays(
  config: JobConfig,
  facts: AdapterFacts,
  signal?: AbortSignal,
): Promise<TeacherWay[] | null> {
  const { iapo, teacher } = config;
  if (!iapo || !teacher) return null;
  const inTurns = (settings: IapoSettings): Promise<Apart> =>
    bytesInTurns({ ...config, iapo: settings, teacher: { ...teacher, residence: "turns" } }, facts, signal);
  const asked = await inTurns(iapo);
  const { resident, turns } = teacherWays(asked.student, asked.teacher, asked.staying);
  const ways: TeacherWay[] = [
    { way: "resident", settings: ["teacher.residence=resident"], peakBytes: resident },
    { way: "turns", settings: ["teacher.residence=turns"], peakBytes: turns },
  ];
  if (iapo.compare !== "student_with_teacher") return ways;
  const isWriting = iapo.teacherTarget === "teacher_call";
  const writing = isWriting ? asked : await inTurns({ ...iapo, teacherTarget: "teacher_call" });
  const { cached } = teacherWays(writing.student, writing.teacher);
  const settings = ["iapo.teacherTarget=teacher_call", "teacher.residence=turns"];
  return [...ways, { way: "cached", settings, peakBytes: cached }];
}

/** Each as if alone. */
interface Apart {
  readonly student: ModelBytes;
  readonly teacher: ModelBytes;
  /** Of the student, while the teacher scores: an adapter's frozen weights leave. */
  readonly staying: number;
}

async function bytesInTurns(config: JobConfig, facts: AdapterFacts, signal?: AbortSignal): Promise<Apart> {
  using device = planningDevice(facts);
  const { bytesByPart, phases } = await oneStep(device, config, "train", { signal });
  const held = Object.values(bytesByPart).reduce((sum, bytes) => sum + bytes, 0);
  const staying = config.model.lora ? held - (bytesByPart.weights ?? 0) : held;
  const peakOf = (isMeant: (name: string) => boolean): number =>
    Math.max(0, ...phases.flatMap(({ name, peakBytes }) => (isMeant(name) ? [peakBytes] : [])));
  return {
    student: { held, peak: peakOf((name) => name !== "teacher" && name !== "load teacher") },
    teacher: {
      held: peakOf((name) => name === "load teacher") - staying,
      peak: peakOf((name) => name === "teacher") - staying,
    },
    staying,
  };
}
