// A diagnosis of two models: calls on charts are scored by both, resumably, and every cell of the grid is compared.
import type { NanoSplit } from "@iapo/vqa-tasks/nano";
import { diagnose } from "../../diagnose/diagnose.ts";
import { defaultGrid } from "../../diagnose/grid.ts";
import { toolsByAxis } from "../axis.ts";
import type { StudySubject } from "../subject.ts";
import type { DiagnosisFile } from "./file.ts";
import { type DiagnosedModels, type ScoreOptions, scoreCharts } from "./score-charts.ts";

/** Resamples for intervals. */
const REPLICATES = 1000;

export interface ModelDiagnosisOptions extends Omit<ScoreOptions, "grid"> {
  readonly split: NanoSplit;
}

/** Over {@link defaultGrid}. Calls that stand in `file` are not scored again. @throws the reason of `signal`; what the models throw */
export async function diagnoseModels(
  subject: StudySubject,
  models: DiagnosedModels,
  options: ModelDiagnosisOptions,
): Promise<DiagnosisFile> {
  const { split, charts: count } = options;
  const { charts, environment, iapo } = subject;
  const { target, temperature, smoothing, divergence, maxPenalty } = iapo;
  const { seed } = charts.options;
  const grid = defaultGrid(toolsByAxis(environment.tools));
  const explained = await scoreCharts(subject, models, { ...options, grid });
  const settings = { target, temperature, smoothing, divergence, maxPenalty, replicates: REPLICATES, seed };
  return {
    version: 1,
    models: { student: models.student.writer.id, teacher: models.teacher.writer.id },
    charts: { seed, split, count },
    diagnosis: diagnose(explained, grid, settings),
  };
}
