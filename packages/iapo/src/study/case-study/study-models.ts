// Case studies of models one after the other; each is on the disk before the next begins, and is not made again.
import { createHash } from "node:crypto";
import { join } from "node:path";
import { openJournal, writeFileAtomic } from "@iapo/rollout-trace/files";
import { caseStudyFile } from "@iapo/run-report";
import type { NanoSplit } from "@iapo/vqa-tasks/nano";
import { z } from "zod";
import { type CaseStudy, type CaseStudyOptions, type CaseStudyParts, caseStudy } from "../../case-study/case-study.ts";
import { toolsByAxis } from "../axis.ts";
import type { StudySubject } from "../subject.ts";

/** A model to be studied. */
export interface StudyPoint {
  /** Steps of training; of models by name, their place. */
  readonly step: number;
  readonly title: string;
  /** A name of all that decides what the model answers. */
  readonly id: string;
  open(): Promise<Pick<CaseStudyParts, "policy" | "model">>;
}

export type StudyMethod = "ig" | "occlusion" | "grad_x_input";

export interface StudyModelsOptions {
  readonly split: NanoSplit;
  readonly charts: number;
  readonly methods: readonly StudyMethod[];
  /** Points of the quadrature of integrated gradients. */
  readonly igSteps: number;
  /** Of a turn. */
  readonly maxTokens: number;
  /** Where `case-study.json` and the journal of finished studies lie. */
  readonly directory: string;
  readonly signal: AbortSignal;
  onStudy(point: StudyPoint, study: CaseStudy): void;
}

/** Of the teacher, opened only when its turn comes. */
export type LateStudyPoint = () => Promise<StudyPoint & Disposable>;

const recordSchema = z.strictObject({ key: z.string(), study: z.json() });

/** @throws the reason of `signal`; what the models throw */
export async function studyModels(
  subject: StudySubject,
  points: readonly StudyPoint[],
  teacher: LateStudyPoint | undefined,
  options: StudyModelsOptions,
): Promise<void> {
  const { directory, split, signal } = options;
  const journal = await openJournal(join(directory, "case-study.jsonl"), recordSchema);
  try {
    const known = new Map(journal.records.map((record) => [record.key, record.study]));
    const { environment, charts } = subject;
    const settings = await settingsOf(subject, options);
    const studyOf = async (point: StudyPoint): Promise<unknown> => {
      signal.throwIfAborted();
      const key = keyOf(subject, settings, split, point);
      const before = known.get(key);
      if (before !== undefined) return before;
      const task = async (index: number) => (await charts.chart(split, index)).task;
      const parts = { ...(await point.open()), environment, tasks: { length: options.charts, task } };
      const made = await caseStudy(parts, { ...settings, rollout: { ...settings.rollout, signal } });
      await journal.append({ key, study: z.json().parse(made) });
      options.onStudy(point, made);
      return made;
    };
    const student: object[] = [];
    for (const point of points) student.push({ step: point.step, title: point.title, study: await studyOf(point) });
    const file = { student, ...(teacher && { teacher: await studyOfTeacher(teacher, studyOf) }) };
    await writeFileAtomic(join(directory, caseStudyFile), `${JSON.stringify(file, null, 2)}\n`);
  } finally {
    await journal.close();
  }
}

async function studyOfTeacher(
  open: LateStudyPoint,
  studyOf: (point: StudyPoint) => Promise<unknown>,
): Promise<unknown> {
  using point = await open();
  return await studyOf({ ...point, title: "teacher" });
}

async function settingsOf(
  { charts, environment, iapo }: StudySubject,
  { charts: count, methods, igSteps, maxTokens }: StudyModelsOptions,
): Promise<CaseStudyOptions> {
  const tokens = { tokenReduce: "dot", blockReduce: "mean" } as const;
  const settings = {
    ig: { method: "ig", ...tokens, baseline: "mean_by_kind", quadrature: "gauss_legendre", steps: igSteps },
    occlusion: { method: "occlusion", baseline: "mean_by_kind" },
    grad_x_input: { method: "grad_x_input", ...tokens },
  } as const;
  return {
    seed: charts.options.seed,
    charts: count,
    rollout: { samples: 1, sampling: { temperature: 1 }, maxTokens },
    target: iapo.target,
    methods: methods.map((name) => settings[name]),
    tools: toolsByAxis(environment.tools),
  };
}

/** SHA-256 of all that decides a study. */
function keyOf(
  { charts, environment }: StudySubject,
  options: CaseStudyOptions,
  split: NanoSplit,
  { id }: StudyPoint,
): string {
  const decisive = { id, options, split, charts: charts.options, environment: environment.options };
  return createHash("sha256").update(JSON.stringify(decisive)).digest("hex");
}
