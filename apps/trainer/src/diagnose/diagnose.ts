// iapo diagnose: before a run, which settings of the penalty separate faulty calls from right ones.
import { join, resolve } from "node:path";
import { diagnosisSvg, diagnosisTable } from "@iapo/iapo";
import {
  type Choice,
  compareWithChoice,
  type DiagnosisFile,
  diagnoseModels,
  type EarlierChoice,
  readChoice,
  scoringModels,
  type TrainableStudent,
} from "@iapo/iapo/study";
import { openTeacher } from "@iapo/jobs";
import { QwenVLPolicy } from "@iapo/qwen-vl-model";
import type { ModelSource } from "@iapo/qwen-vl-model/config";
import { writeFileAtomic } from "@iapo/rollout-trace/files";
import type { Device } from "@iapo/tensor-core";
import type { NanoSplit } from "@iapo/vqa-tasks/nano";
import { openAdapter } from "../adapter.ts";
import { openStudy, type Study, type StudyFlags } from "../compose/study.ts";
import { TrainerError } from "../error.ts";
import { ExitCode } from "../exit-code.ts";
import type { CliIo } from "../io.ts";
import { createPace } from "../progress/pace.ts";
import { workIn } from "../run/work-in.ts";

export interface DiagnoseFlags extends StudyFlags {
  readonly split: NanoSplit;
  readonly charts: number;
  /** The result of an earlier diagnosis on other tables, whose choice this one reports on. */
  readonly choice: string | undefined;
  readonly out: string;
  readonly json?: true | undefined;
}

export async function runDiagnosis(flags: DiagnoseFlags, io: CliIo): Promise<number> {
  const earlier = flags.choice === undefined ? undefined : await choiceOf(flags.choice, flags.split);
  const study = await openStudy(flags);
  const { teacher } = study;
  if (!teacher) {
    const advice = "give --teacher, or set the section teacher";
    throw new TrainerError("config", `${flags.source}: a diagnosis compares with a teacher; ${advice}`);
  }
  const directory = resolve(flags.out);
  return workIn(directory, io, async () => {
    const made = await make(study, teacher, directory, flags, io);
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
  });
}

/** @throws TrainerError `argument` where it was made on the same tables */
async function choiceOf(file: string, split: NanoSplit): Promise<EarlierChoice> {
  const earlier = await readChoice(file);
  if (earlier.split !== split) return earlier;
  const other = split === "test" ? "validation" : "test";
  throw new TrainerError(
    "argument",
    `${file} was made on the tables of ${split} too; report on others, by --split ${other}`,
  );
}

async function make(
  study: Study,
  teacherSource: ModelSource,
  directory: string,
  { split, charts }: DiagnoseFlags,
  io: CliIo,
): Promise<DiagnosisFile> {
  using device = await openAdapter();
  const student = await openTeacher(device, study.student, io);
  const teacher = await openTeacher(device, teacherSource, io);
  const pace = createPace(io.note, charts * scoringModels, "charts").done;
  let done = 0;
  try {
    if (student.writer.id === teacher.writer.id)
      io.note("student and teacher have the same weights: about the student's own calls they cannot differ");
    return await diagnoseModels(
      study,
      { student, teacher, trainable: () => trainable(device, study.student, io) },
      {
        split,
        charts,
        optimizer: study.optimizer,
        maxTokens: study.maxTokens,
        file: join(directory, "scores.jsonl"),
        signal: io.signal,
        onChart: (isNew) => pace(++done, isNew),
      },
    );
  } finally {
    student.dispose();
    teacher.dispose();
  }
}

/** Loaded once more: a few steps change its weights. */
async function trainable(device: Device, source: ModelSource, { signal }: CliIo): Promise<TrainableStudent> {
  const policy = await QwenVLPolicy.load(device, source, { signal });
  return { policy, model: policy.differentiable(), dispose: () => policy.model.dispose() };
}

function choiceText({ setting, split, there, here }: Choice): string {
  const areas = (found: Choice["here"]): string =>
    Object.entries(found)
      .map(([fault, { auc, low, high }]) => `${fault} ${auc.toFixed(2)} [${low.toFixed(2)}, ${high.toFixed(2)}]`)
      .join(", ");
  return `\nchosen on ${split}: ${setting}\n  there  ${areas(there)}\n  here   ${areas(here)}`;
}
