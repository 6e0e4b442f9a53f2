// The ways in which a teacher can take part, and the most bytes that each has on the device at once.
import { type ModelBytes, teacherWays } from "@iapo/attribution";
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
 * calls of its own: `cacheTeacherCalls` does so without the student. Null for a run without a teacher.
 */
export async function planTeacherWays(
  config: JobConfig,
  facts: AdapterFacts,
  signal?: AbortSignal,
): Promise<TeacherWay[] | null> {
  const { iapo, teacher } = config;
  if (!iapo || !teacher) return null;
  const { teacherTarget } = iapo;
  const inTurns = (target: typeof teacherTarget): Promise<Apart> =>
    bytesInTurns(
      { ...config, iapo: { ...iapo, teacherTarget: target }, teacher: { ...teacher, residence: "turns" } },
      facts,
      signal,
    );
  const writing = await inTurns("teacher_call");
  const asked = teacherTarget === "teacher_call" ? writing : await inTurns(teacherTarget);
  const { resident, turns } = teacherWays(asked.student, asked.teacher, asked.staying);
  const { cached } = teacherWays(writing.student, writing.teacher);
  return [
    { way: "resident", settings: ["teacher.residence=resident"], peakBytes: resident },
    { way: "turns", settings: ["teacher.residence=turns"], peakBytes: turns },
    {
      way: "cached",
      settings: ["iapo.teacherTarget=teacher_call", "teacher.residence=turns"],
      peakBytes: cached,
    },
  ];
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
