// iapo case-study: misuse, and what calls rest on, for each checkpoint of a run or for given models (paper 4.2, Figure 3).
import { basename, join, resolve } from "node:path";
import { caseStudyCsv, caseStudyTable, type LateStudyPoint, type StudyMethod, studyModels } from "@iapo/iapo/study";
import { namedModel } from "@iapo/jobs";
import { writeFileAtomic } from "@iapo/rollout-trace/files";
import { caseStudyCharts, caseStudyFile, panels, readCaseStudy } from "@iapo/run-report";
import type { Device } from "@iapo/tensor-core";
import type { NanoSplit } from "@iapo/vqa-tasks/nano";
import { openAdapter } from "../adapter.ts";
import { openStudy, type Study, type StudyFlags } from "../compose/study.ts";
import { TrainerError } from "../error.ts";
import { ExitCode } from "../exit-code.ts";
import type { CliIo } from "../io.ts";
import { workIn } from "../run/work-in.ts";
import { pointOfModel, pointsOfModels, pointsOfRun, runOf } from "./points.ts";

export interface CaseStudyFlags extends Omit<StudyFlags, "student"> {
  /** In place of a run's checkpoints. */
  readonly models: readonly string[];
  readonly split: NanoSplit;
  readonly charts: number;
  readonly methods: readonly StudyMethod[];
  /** Points of the quadrature of integrated gradients. */
  readonly igSteps: number;
  readonly out: string | undefined;
  readonly json?: true | undefined;
}

export async function runCaseStudy(flags: CaseStudyFlags, io: CliIo): Promise<number> {
  const { models, ...rest } = flags;
  const study = await openStudy({ ...rest, student: models[0] });
  const run = models.length > 0 ? undefined : await runOf(study);
  const sources = models.length > 0 ? await Promise.all(models.map(namedModel)) : [study.student];
  const directory = resolve(flags.out ?? run?.directory ?? "runs/case-study");
  return workIn(directory, io, async () => {
    using device = await openAdapter();
    using opened = run === undefined ? await pointsOfModels(device, sources) : await pointsOfRun(device, run);
    await studyModels(study, opened.points, teacherOf(device, study), {
      ...flags,
      maxTokens: study.maxTokens,
      directory,
      signal: io.signal,
      onStudy: ({ title }, { calls, responses, misuse }) =>
        io.note(`${title}: ${calls} calls on ${responses} charts, ${misuse} of the wrong axis`),
    });
    await show(directory, run === undefined ? "models" : basename(run.directory), flags, io);
    return ExitCode.done;
  });
}

function teacherOf(device: Device, { teacher }: Study): LateStudyPoint | undefined {
  return teacher && (() => pointOfModel(device, teacher, 0));
}

/** From the file, as the report reads it. */
async function show(directory: string, name: string, { json }: CaseStudyFlags, io: CliIo): Promise<void> {
  const curve = await readCaseStudy(directory);
  if (!curve) throw new TrainerError("missing", `${join(directory, caseStudyFile)} is gone`);
  await writeFileAtomic(join(directory, "case-study.csv"), caseStudyCsv(curve));
  await writeFileAtomic(join(directory, "case-study.svg"), panels(caseStudyCharts(curve, name)).toString());
  if (json) io.out(JSON.stringify(curve));
  else io.out(`${caseStudyTable(curve)}\n\nresult, table and picture: ${directory}`);
}
