// Block scores of forced calls, chart by chart; each chart's are on the disk when the next begins, and are not made again.
import { createHash } from "node:crypto";
import {
  type ChartScores,
  type DiagnoseChart,
  type DiagnoseGrid,
  type Explained,
  explainCharts,
  type Teacher,
} from "@iapo/iapo";
import { openJournal } from "@iapo/rollout-trace/files";
import { deriveSeed } from "@iapo/tensor-core";
import type { NanoSplit } from "@iapo/vqa-tasks/nano";
import { z } from "zod";
import type { Study } from "../compose/study.ts";
import { forcedCalls } from "./forced-calls.ts";

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
  study: Study,
  student: Teacher,
  teacher: Teacher,
  options: ScoreOptions,
): Promise<Explained> {
  const { grid, charts: count, file, signal } = options;
  const journal = await openJournal(file, recordSchema);
  const known = new Map(journal.records.map(({ key, scores }) => [key, scores]));
  const all: Recorded[] = [];
  try {
    for (let index = 0; index < count; index++) {
      signal.throwIfAborted();
      const key = keyOf(study, [student, teacher], options, index);
      let own = known.get(key);
      if (!own) {
        const chart = await chartOf(study, student, teacher, options, index);
        const models = { student: student.model, teacher: teacher.model };
        const explained = await explainCharts(models, [chart], grid, { target: study.iapo.target, signal });
        own = explained.map((ofMethod) => ofMethod.map(([of]) => plain(of!)));
        await journal.append({ key, scores: own });
      }
      all.push(own);
      options.onChart(index + 1, !known.has(key));
    }
  } finally {
    await journal.close();
  }
  return grid.methods.map((_, m) => grid.partitions.map((_, p) => all.map((chart) => typed(chart[m]![p]!))));
}

async function chartOf(
  { charts, environment, iapo }: Study,
  student: Teacher,
  teacher: Teacher,
  { grid, split, maxTokens, signal }: ScoreOptions,
  index: number,
): Promise<DiagnoseChart> {
  const drawn = await charts.chart(split, index);
  const chart = await forcedCalls(drawn, index, environment, student.writer!.policy);
  if (!grid.teacherTargets.includes("teacher_call")) return chart;
  const session = await teacher.writer!.policy.open([{ freshPrompt: true, blocks: environment.prompt(drawn.task) }]);
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
  { charts, environment, iapo }: Study,
  models: readonly Teacher[],
  { grid, split, maxTokens }: ScoreOptions,
  index: number,
): string {
  const { target, teacherTemperature } = iapo;
  const { methods, partitions, teacherTargets } = grid;
  const decisive = {
    models: models.map(({ writer }) => writer!.id),
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
