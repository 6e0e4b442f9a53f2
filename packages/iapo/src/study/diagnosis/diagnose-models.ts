// A diagnosis of two models: calls on charts are scored by both, resumably, and every cell of the grid is compared.
import type { OptimizerSettings } from "@iapo/grpo/config";
import type { NanoSplit } from "@iapo/vqa-tasks/nano";
import { type DiagnosedState, diagnose } from "../../diagnose/diagnose.ts";
import { explainedBy, type Side } from "../../diagnose/explain.ts";
import { defaultGrid } from "../../diagnose/grid.ts";
import type { WritingTeacher } from "../../teacher/teacher.ts";
import { toolsByAxis } from "../axis.ts";
import type { StudySubject } from "../subject.ts";
import { biases, biasStudent } from "./biased-student.ts";
import type { DiagnosisFile } from "./file.ts";
import { type DiagnosedModels, type Explainer, type ScoreOptions, scoreCharts } from "./score-charts.ts";

/** Resamples for intervals. */
const REPLICATES = 1000;

/** A few: enough that the student prefers what it is taught on nearly every chart, where the learning rate is one that it learns by. */
const BIAS = { steps: 16, batch: 16 } as const;

export interface ModelDiagnosisOptions extends Omit<ScoreOptions, "grid"> {
  readonly split: NanoSplit;
  /** Of the steps that bias the student. */
  readonly optimizer: OptimizerSettings;
}

/** Models whose scores a diagnosis takes: the teacher, the student as it is, and each biased one. */
export const scoringModels: number = 2 + biases.length;

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
  const score = (explainer: Explainer) => scoreCharts(subject, models, explainer, { ...options, grid });
  const teacher = await score(asItIs("teacher", models.teacher));
  const states: DiagnosedState[] = [];
  for (const [name, explainer] of statesOf(subject, models, options)) {
    states.push({ name, explained: explainedBy(await score(explainer), teacher, grid) });
  }
  const settings = { target, temperature, smoothing, divergence, maxPenalty, replicates: REPLICATES, seed };
  return {
    version: 2,
    models: { student: models.student.writer.id, teacher: models.teacher.writer.id },
    charts: { seed, split, count },
    diagnosis: diagnose(states, grid, settings),
  };
}

function statesOf(
  subject: StudySubject,
  models: DiagnosedModels,
  { optimizer, signal }: ModelDiagnosisOptions,
): (readonly [name: string, explainer: Explainer])[] {
  const { charts, environment } = subject;
  const training = { ...BIAS, seed: charts.options.seed, optimizer };
  const biased = biases.map((bias): readonly [string, Explainer] => {
    const decisive = { student: models.student.writer.id, bias, ...training, environment: environment.options };
    return [
      `biased to ${bias.replace("_", " ")}`,
      {
        id: JSON.stringify(decisive),
        side: "student",
        async open() {
          const student = await models.trainable();
          try {
            await biasStudent(student, subject, bias, training, signal);
          } catch (error) {
            student.dispose();
            throw error;
          }
          return student;
        },
      },
    ];
  });
  return [["as it is", asItIs("student", models.student)], ...biased];
}

function asItIs(side: Side, { model, writer }: WritingTeacher): Explainer {
  return { id: writer.id, side, open: async () => ({ model, dispose: () => {} }) };
}
