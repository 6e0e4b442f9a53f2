// iapo case-study: misuse, and what calls rest on, for each checkpoint of a run or for given models (paper 4.2, Figure 3).
import { createHash } from "node:crypto";
import { join, resolve } from "node:path";
import { type CaseStudyOptions, caseStudy } from "@iapo/iapo";
import { openJournal, writeFileAtomic } from "@iapo/rollout-trace/files";
import { caseStudyCharts, caseStudyFile, panels, readCaseStudy } from "@iapo/run-report";
import { type Device, openDevice } from "@iapo/tensor-core";
import type { NanoSplit } from "@iapo/vqa-tasks/nano";
import { z } from "zod";
import { namedModel, openStudy, type Study, type StudyFlags, toolsByAxis } from "../compose/study.ts";
import { TrainerError } from "../error.ts";
import { ExitCode } from "../exit-codes.ts";
import type { CliIo } from "../io.ts";
import { lockDirectory } from "../run/lock.ts";
import { type Points, pointsOfModels, pointsOfRun, runOf, type StudyPoint } from "./points.ts";
import { caseStudyCsv, caseStudyTable } from "./table.ts";

export interface CaseStudyFlags extends Omit<StudyFlags, "student"> {
  /** In place of a run's checkpoints. */
  readonly models: readonly string[];
  readonly split: NanoSplit;
  readonly charts: number;
  readonly methods: readonly ("ig" | "occlusion" | "grad_x_input")[];
  /** Points of the quadrature of integrated gradients. */
  readonly igSteps: number;
  readonly out: string | undefined;
  readonly json?: true | undefined;
}

const recordSchema = z.strictObject({ key: z.string(), study: z.json() });

export async function runCaseStudy(flags: CaseStudyFlags, io: CliIo): Promise<number> {
  const { models, ...rest } = flags;
  const study = await openStudy({ ...rest, student: models[0] });
  const run = models.length > 0 ? undefined : await runOf(study);
  const sources = models.length > 0 ? await Promise.all(models.map(namedModel)) : [study.student];
  const directory = resolve(flags.out ?? run ?? "runs/case-study");
  const lock = await lockDirectory(directory);
  try {
    using device = await openDevice();
    using points = run === undefined ? await pointsOfModels(device, sources) : await pointsOfRun(device, study, run);
    await makeStudies(device, study, points, directory, flags, io);
    await show(directory, run ?? "models", flags, io);
    return ExitCode.done;
  } catch (error) {
    if (!io.signal.aborted) throw error;
    io.note(`interrupted; the same command goes on where it stopped: ${directory}`);
    return ExitCode.interrupted;
  } finally {
    await lock.release();
  }
}

/** Each model's study is on the disk before the next begins, and is not made again. */
async function makeStudies(
  device: Device,
  study: Study,
  { points }: Points,
  directory: string,
  flags: CaseStudyFlags,
  { note, signal }: CliIo,
): Promise<void> {
  const journal = await openJournal(join(directory, "case-study.jsonl"), recordSchema);
  try {
    const known = new Map(journal.records.map((record) => [record.key, record.study]));
    const options = await optionsOf(study, flags);
    const studyOf = async (point: StudyPoint): Promise<unknown> => {
      signal.throwIfAborted();
      const key = keyOf(study, options, flags.split, point);
      const before = known.get(key);
      if (before !== undefined) return before;
      const { policy, model } = await point.open();
      const { environment, charts } = study;
      const task = async (index: number) => (await charts.chart(flags.split, index)).task;
      const tasks = { length: flags.charts, task };
      const rollout = { ...options.rollout, signal };
      const made = await caseStudy({ policy, model, environment, tasks }, { ...options, rollout });
      await journal.append({ key, study: z.json().parse(made) });
      note(`${point.title}: ${made.calls} calls on ${made.responses} charts, ${made.misuse} of the wrong axis`);
      return made;
    };
    const student: object[] = [];
    for (const point of points) student.push({ step: point.step, title: point.title, study: await studyOf(point) });
    const teacher = study.teacher && (await teacherStudy(device, study, studyOf));
    const file = { student, ...(teacher !== undefined && { teacher }) };
    await writeFileAtomic(join(directory, caseStudyFile), `${JSON.stringify(file, null, 2)}\n`);
  } finally {
    await journal.close();
  }
}

async function teacherStudy(
  device: Device,
  { teacher }: Study,
  studyOf: (point: StudyPoint) => Promise<unknown>,
): Promise<unknown> {
  using opened = await pointsOfModels(device, [teacher!]);
  return await studyOf({ ...opened.points[0]!, title: "teacher" });
}

async function optionsOf(study: Study, { charts, methods, igSteps, split }: CaseStudyFlags): Promise<CaseStudyOptions> {
  const { task } = await study.charts.chart(split, 0);
  const tokens = { tokenReduce: "dot", blockReduce: "mean" } as const;
  const settings = {
    ig: { method: "ig", ...tokens, baseline: "mean_by_kind", quadrature: "gauss_legendre", steps: igSteps },
    occlusion: { method: "occlusion", baseline: "mean_by_kind" },
    grad_x_input: { method: "grad_x_input", ...tokens },
  } as const;
  const maxTokens = study.loaded?.config.grpo.rollout.maxTokens ?? 48;
  return {
    seed: study.charts.options.seed,
    charts,
    rollout: { samples: 1, sampling: { temperature: 1 }, maxTokens },
    target: study.iapo.target,
    methods: methods.map((name) => settings[name]),
    tools: toolsByAxis(study.environment.prompt(task)),
  };
}

/** SHA-256 of all that decides a study. */
function keyOf(
  { charts, environment }: Study,
  options: CaseStudyOptions,
  split: NanoSplit,
  { id }: StudyPoint,
): string {
  const decisive = { id, options, split, charts: charts.options, environment: environment.options };
  return createHash("sha256").update(JSON.stringify(decisive)).digest("hex");
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
