// Block scores of forced calls, chart by chart; each chart's are on the disk when the next begins, and are not made again.
import { createHash } from "node:crypto";
import { openJournal } from "@iapo/rollout-trace/files";
import { deriveSeed } from "@iapo/tensor-core";
import type { NanoSplit } from "@iapo/vqa-tasks/nano";
import { z } from "zod";
import { writesCalls } from "../../config/compare.ts";
import { type ChartByModel, type DiagnoseChart, explainChart, type Side } from "../../diagnose/explain.ts";
import type { DiagnoseGrid } from "../../diagnose/grid.ts";
import type { AttributionModel } from "../../scoring/model.ts";
import type { WritingTeacher } from "../../teacher/teacher.ts";
import type { StudySubject } from "../subject.ts";
import type { TrainableStudent } from "./biased-student.ts";
import { forcedCalls } from "./forced-calls.ts";

export interface DiagnosedModels {
  readonly student: WritingTeacher;
  readonly teacher: WritingTeacher;
  /** Loads the student once more, to be biased by a few steps of training. */
  trainable(): Promise<TrainableStudent>;
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
  /** One chart was scored by one model. */
  onChart(isNew: boolean): void;
}

const finite = z.number();
const recordSchema = z.strictObject({
  /** SHA-256 of all that decides the scores. */
  key: z.string(),
  /** [methods][partitions] */
  scores: z.array(
    z.array(z.strictObject({ scores: z.record(z.string(), z.array(finite)), logProbs: z.record(z.string(), finite) })),
  ),
});
type Recorded = z.infer<typeof recordSchema>["scores"];

/** A model that explains calls, opened where any of its scores are missing. */
export interface Explainer {
  /** Of all that decides its scores. */
  readonly id: string;
  readonly side: Side;
  open(): Promise<{ readonly model: AttributionModel; dispose(): void }>;
}

/** What a model says of the charts' calls. @throws the reason of `signal`; what the models throw */
export async function scoreCharts(
  subject: StudySubject,
  models: DiagnosedModels,
  explainer: Explainer,
  options: ScoreOptions,
): Promise<ChartByModel[]> {
  const { grid, charts: count, file, signal } = options;
  const { side } = explainer;
  const journal = await openJournal(file, recordSchema);
  const known = new Map(journal.records.map(({ key, scores }) => [key, scores]));
  const all: ChartByModel[] = [];
  let opened: Awaited<ReturnType<Explainer["open"]>> | undefined;
  try {
    for (let index = 0; index < count; index++) {
      signal.throwIfAborted();
      const key = keyOf(subject, models, explainer, options, index);
      let own = known.get(key);
      if (!own) {
        opened ??= await explainer.open();
        const chart = await chartOf(subject, models, side, options, index);
        const explainers = { student: models.student.model, teacher: models.teacher.model, [side]: opened.model };
        own = plain(await explainChart(explainers, side, chart, grid, subject.iapo.target));
        await journal.append({ key, scores: own });
      }
      all.push(typed(own));
      options.onChart(!known.has(key));
    }
  } finally {
    opened?.dispose();
    await journal.close();
  }
  return all;
}

async function chartOf(
  { charts, environment, iapo }: StudySubject,
  { student, teacher }: DiagnosedModels,
  side: Side,
  { grid, split, maxTokens, signal }: ScoreOptions,
  index: number,
): Promise<DiagnoseChart> {
  const drawn = await charts.chart(split, index);
  const chart = await forcedCalls(drawn, index, environment, student.writer.policy);
  if (side === "student" || !grid.comparisons.some(writesCalls)) return chart;
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

/** The student's tokens of the forced calls are those of its writer, whatever its weights. */
function keyOf(
  { charts, environment, iapo }: StudySubject,
  { student }: DiagnosedModels,
  { id, side }: Explainer,
  { grid, split, maxTokens }: ScoreOptions,
  index: number,
): string {
  const { target, teacherTemperature } = iapo;
  const { methods, partitions, comparisons, logProb } = grid;
  const decisive = {
    models: [student.writer.id, side, id],
    charts: charts.options,
    environment: environment.options,
    ...{ target, teacherTemperature, methods, partitions, comparisons, logProb, split, maxTokens, index },
  };
  return createHash("sha256").update(JSON.stringify(decisive)).digest("hex");
}

function plain(chart: ChartByModel): Recorded {
  return chart.map((ofMethod) =>
    ofMethod.map(({ scores, logProbs }) => ({
      scores: Object.fromEntries(Object.entries(scores).map(([call, values]) => [call, [...values]])),
      logProbs: { ...logProbs },
    })),
  );
}

function typed(chart: Recorded): ChartByModel {
  return chart.map((ofMethod) =>
    ofMethod.map(({ scores, logProbs }) => ({
      scores: Object.fromEntries(Object.entries(scores).map(([call, values]) => [call, Float64Array.from(values)])),
      logProbs,
    })),
  );
}
