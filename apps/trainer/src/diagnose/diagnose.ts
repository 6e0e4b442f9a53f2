// iapo diagnose: before a run, which settings of the penalty tell faulty calls from right ones.
import { join, resolve } from "node:path";
import { defaultGrid, diagnose, diagnosisSvg, diagnosisTable, type Explained, type Teacher } from "@iapo/iapo";
import { writeFileAtomic } from "@iapo/rollout-trace/files";
import { openDevice } from "@iapo/tensor-core";
import type { NanoSplit } from "@iapo/vqa-tasks/nano";
import { openStudy, type Study, type StudyFlags, toolsByAxis } from "../compose/study.ts";
import { TrainerError } from "../error.ts";
import { ExitCode } from "../exit-codes.ts";
import type { CliIo } from "../io.ts";
import { createPace } from "../progress/pace.ts";
import { lockDirectory } from "../run/lock.ts";
import { openTeacher } from "../train/parts.ts";
import { compareWithChoice, readChoice } from "./choice.ts";
import type { Choice, DiagnosisFile } from "./file.ts";
import { scoreCharts } from "./scores.ts";

export interface DiagnoseFlags extends StudyFlags {
  readonly split: NanoSplit;
  readonly charts: number;
  /** The result of an earlier diagnosis on other tables, whose choice this one reports on. */
  readonly choice: string | undefined;
  readonly out: string;
  readonly json?: true | undefined;
}

/** For intervals. */
const REPLICATES = 1000;

export async function runDiagnosis(flags: DiagnoseFlags, io: CliIo): Promise<number> {
  const earlier = flags.choice === undefined ? undefined : await readChoice(flags.choice, flags.split);
  const study = await openStudy(flags);
  if (!study.teacher) {
    const advice = "give --teacher, or set the section teacher";
    throw new TrainerError("config", `${flags.source}: a diagnosis compares with a teacher; ${advice}`);
  }
  const directory = resolve(flags.out);
  const lock = await lockDirectory(directory);
  try {
    const made = await make(study, directory, flags, io);
    const file = earlier ? compareWithChoice(made, earlier) : made;
    await writeFileAtomic(join(directory, "diagnosis.json"), `${JSON.stringify(file, null, 2)}\n`);
    await writeFileAtomic(join(directory, "diagnosis.svg"), diagnosisSvg(file.diagnosis));
    if (flags.json) io.out(JSON.stringify(file));
    else {
      io.out(diagnosisTable(file.diagnosis).trimEnd());
      if (file.choice) io.out(choiceText(file.choice));
      io.out(`\nresult and picture: ${directory}`);
    }
    return ExitCode.done;
  } catch (error) {
    if (!io.signal.aborted) throw error;
    io.note(`interrupted; the same command goes on where it stopped: ${directory}`);
    return ExitCode.interrupted;
  } finally {
    await lock.release();
  }
}

async function make(study: Study, directory: string, flags: DiagnoseFlags, io: CliIo): Promise<DiagnosisFile> {
  const { split, charts: count } = flags;
  using device = await openDevice();
  const student = await openTeacher(device, study.student, io);
  const teacher = await openTeacher(device, study.teacher!, io);
  try {
    if (student.writer!.id === teacher.writer!.id)
      io.note("student and teacher have the same weights: about the student's own calls they cannot differ");
    const { charts, environment, iapo } = study;
    const grid = defaultGrid(toolsByAxis(environment.prompt((await charts.chart(split, 0)).task)));
    const explained = await explain(study, [student, teacher], grid, directory, flags, io);
    return {
      version: 1,
      models: { student: student.writer!.id, teacher: teacher.writer!.id },
      charts: { seed: charts.options.seed, split, count },
      diagnosis: diagnose(explained, grid, {
        ...{ target: iapo.target, temperature: iapo.temperature, smoothing: iapo.smoothing },
        ...{ divergence: iapo.divergence, maxPenalty: iapo.maxPenalty },
        ...{ replicates: REPLICATES, seed: charts.options.seed },
      }),
    };
  } finally {
    student.dispose();
    teacher.dispose();
  }
}

function explain(
  study: Study,
  [student, teacher]: readonly [Teacher, Teacher],
  grid: ReturnType<typeof defaultGrid>,
  directory: string,
  { split, charts: count }: DiagnoseFlags,
  { note, signal }: CliIo,
): Promise<Explained> {
  const pace = createPace(note, count, "charts");
  return scoreCharts(study, student, teacher, {
    ...{ grid, split, charts: count, signal },
    maxTokens: study.loaded?.config.grpo.rollout.maxTokens ?? 48,
    file: join(directory, "scores.jsonl"),
    onChart: pace.done,
  });
}

function choiceText({ setting, split, there, here }: Choice): string {
  const areas = (found: Choice["here"]): string =>
    Object.entries(found)
      .map(([fault, { auc, low, high }]) => `${fault} ${auc.toFixed(2)} [${low.toFixed(2)}, ${high.toFixed(2)}]`)
      .join(", ");
  return `\nchosen on ${split}: ${setting}\n  there  ${areas(there)}\n  here   ${areas(here)}`;
}
