// Block scores of forced calls, chart by chart; each chart's are on the disk when the next begins, and are not made again.
import { createHash } from "node:crypto";
import { openJournal } from "@iapo/rollout-trace/files";
import { deriveSeed } from "@iapo/tensor-core";
import type { NanoSplit } from "@iapo/vqa-tasks/nano";
import { z } from "zod";
import { at } from "../../at.ts";
import { type ChartScores, type DiagnoseChart, type Explained, explainCharts } from "../../diagnose/explain.ts";
import type { DiagnoseGrid } from "../../diagnose/grid.ts";
import type { WritingTeacher } from "../../teacher/teacher.ts";
import type { StudySubject } from "../subject.ts";
import { forcedCalls } from "./forced-calls.ts";

export interface DiagnosedModels {
  readonly student: WritingTeacher;
  readonly teacher: WritingTeacher;
}

export interface ScoreOptions {
  readonly grid: DiagnoseGrid;
  readonly split: NanoSplit;
  readonly charts: number;
  /** A call of the teacher's own is at most so long. */
  readonly maxTokens: number;
  /** The file that keeps them. */
  readonly file: string;
  readonly signal: AbortSignal;
  onChart(done: number, isNew: boolean): void;
}

const scores = z.array(z.number());
const ofModel = z.record(z.string(), scores);
const recordSchema = z.strictObject({
  /** SHA-256 of all that decides the scores. */
  key: z.string(),
  /** [methods][partitions] */
  scores: z.array(z.array(z.strictObject({ student: ofModel, teacher: ofModel }))),
});
type Recorded = z.infer<typeof recordSchema>["scores"];

/** @throws the reason of `signal`; what the models throw */
export async function scoreCharts(
  subject: StudySubject,
  models: DiagnosedModels,
  options: ScoreOptions,
): Promise<Explained> {
  const { grid, charts: count, file, signal } = options;
  const journal = await openJournal(file, recordSchema);
  const known = new Map(journal.records.map(({ key, scores }) => [key, scores]));
  const all: Recorded[] = [];
  try {
    for (let index = 0; index < count; index++) {
      signal.throwIfAborted();
      const key = keyOf(subject, models, options, index);
      let own = known.get(key);
      if (!own) {
        const chart = await chartOf(subject, models, options, index);
        const explainers = { student: models.student.model, teacher: models.teacher.model };
        const explained = await explainCharts(explainers, [chart], grid, { target: subject.iapo.target, signal });
        own = explained.map((ofMethod) => ofMethod.map((charts) => plain(at(charts, 0))));
        await journal.append({ key, scores: own });
      }
      all.push(own);
      options.onChart(index + 1, !known.has(key));
    }
  } finally {
    await journal.close();
  }
  return grid.methods.map((_, method) =>
    grid.partitions.map((_, partition) => all.map((chart) => typed(at(at(chart, method), partition)))),
  );
}

async function chartOf(
  { charts, environment, iapo }: StudySubject,
  { student, teacher }: DiagnosedModels,
  { grid, split, maxTokens, signal }: ScoreOptions,
  index: number,
): Promise<DiagnoseChart> {
  const drawn = await charts.chart(split, index);
  const chart = await forcedCalls(drawn, index, environment, student.writer.policy);
  if (!grid.teacherTargets.includes("teacher_call")) return chart;
  const session = await teacher.writer.policy.open([{ freshPrompt: true, blocks: environment.prompt(drawn.task) }]);
  try {
    const sampling = { temperature: iapo.teacherTemperature };
    const seeds = [deriveSeed(charts.options.seed, "diagnose", index)];
    return {
      ...chart,
      teacherCall: { turns: await session.generate({ samples: 1, sampling, seeds, maxTokens, signal }) },
    };
  } finally {
    session.close();
  }
}

function keyOf(
  { charts, environment, iapo }: StudySubject,
  { student, teacher }: DiagnosedModels,
  { grid, split, maxTokens }: ScoreOptions,
  index: number,
): string {
  const { target, teacherTemperature } = iapo;
  const { methods, partitions, teacherTargets } = grid;
  const decisive = {
    models: [student.writer.id, teacher.writer.id],
    charts: charts.options,
    environment: environment.options,
    ...{ target, teacherTemperature, methods, partitions, teacherTargets, split, maxTokens, index },
  };
  return createHash("sha256").update(JSON.stringify(decisive)).digest("hex");
}

function plain({ student, teacher }: ChartScores): Recorded[number][number] {
  const lists = (of: Readonly<Record<string, Float64Array>>): Record<string, number[]> =>
    Object.fromEntries(Object.entries(of).map(([call, values]) => [call, [...values]]));
  return { student: lists(student), teacher: lists(teacher) };
}

function typed({ student, teacher }: Recorded[number][number]): ChartScores {
  const arrays = (of: Record<string, number[]>): Record<string, Float64Array> =>
    Object.fromEntries(Object.entries(of).map(([call, values]) => [call, Float64Array.from(values)]));
  return { student: arrays(student), teacher: arrays(teacher) } as ChartScores;
}
