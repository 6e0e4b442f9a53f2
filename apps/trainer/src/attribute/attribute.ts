// iapo attribute: what one call on one chart or table rests on, in the student's eyes and in a teacher's.
import { join, resolve } from "node:path";
import { attributionToJson, type BlockMethod } from "@iapo/attribution";
import { distribution, divergence } from "@iapo/attribution/math";
import { barsText, blocksSvg, type ExplainedCall, explainCall, heatedImage, tokensText } from "@iapo/iapo/study";
import { environmentOf, namedModel, openTeacher } from "@iapo/jobs";
import { QwenVLPolicy } from "@iapo/qwen-vl-model";
import { writeFileAtomic } from "@iapo/rollout-trace/files";
import { encodePng } from "@iapo/visual-tools/sharp";
import type { VisualTask } from "@iapo/vqa-tasks";
import type { DataFormat } from "@iapo/vqa-tasks/loaders";
import { createNanoCharts, type NanoSplit } from "@iapo/vqa-tasks/nano";
import { filesOf, readTasks } from "@iapo/vqa-tasks/sources";
import { openAdapter } from "../adapter.ts";
import { TrainerError } from "../error.ts";
import { ExitCode } from "../exit-code.ts";
import type { CliIo } from "../io.ts";
import { workIn } from "../run/work-in.ts";

export interface AttributeOptions {
  readonly model: string;
  readonly teacher?: string | undefined;
  /** A data file and its format; else nano-charts. */
  readonly task?: string | undefined;
  readonly format?: DataFormat | undefined;
  /** Which task of the file, or which chart; from 0. */
  readonly index: number;
  readonly split: NanoSplit;
  readonly seed: number;
  readonly text?: string | undefined;
  readonly maxTokens: number;
  readonly method: BlockMethod["kind"];
  readonly prompt?: "full" | "compact" | undefined;
  readonly out: string;
  readonly json?: true | undefined;
}

export async function attribute(options: AttributeOptions, io: CliIo): Promise<number> {
  const directory = resolve(options.out);
  return workIn(directory, io, () => attributeIn(directory, options, io), "the same command begins again");
}

async function attributeIn(
  directory: string,
  options: AttributeOptions,
  { out, color, note, signal }: CliIo,
): Promise<number> {
  const task = await taskOf(options);
  const source = await namedModel(options.model);
  const teacherSource = options.teacher === undefined ? undefined : await namedModel(options.teacher);
  using device = await openAdapter();
  const student = await openTeacher(device, source, { signal });
  const teacher = teacherSource && (await openTeacher(device, teacherSource, { signal }));
  try {
    const policy = student.writer.policy;
    const environment = await environmentOf({
      prompt: options.prompt ?? (options.task === undefined ? "compact" : "full"),
    });
    const explained = await explainCall({
      ...{ task, environment, text: options.text, seed: options.seed, maxTokens: options.maxTokens },
      student: { model: student.model, policy },
      teacher: teacher?.model,
      method: { kind: options.method },
    });
    if (!explained.isCall) note("the turn holds no program: all that it says is explained");
    const heat = policy instanceof QwenVLPolicy ? heatedImage(explained, cellsOf(policy, task)) : undefined;
    const html = tokensText(explained, student.model, "html");
    const result = resultOf(explained);
    await writeFileAtomic(join(directory, "attribution.json"), `${JSON.stringify(result, null, 2)}\n`);
    const bars = blocksSvg(explained);
    if (bars) await writeFileAtomic(join(directory, "blocks.svg"), bars);
    await writeFileAtomic(join(directory, "image.png"), await encodePng(task.content.image));
    if (heat) await writeFileAtomic(join(directory, "heat.png"), await encodePng(heat));
    if (html) await writeFileAtomic(join(directory, "tokens.html"), `<!doctype html><meta charset="utf-8">${html}\n`);
    if (options.json) out(JSON.stringify(result));
    else {
      out(`${task.content.question}\n${explained.turn.text.trimEnd()}\n`);
      const tokens = color && tokensText(explained, student.model, "ansi");
      if (tokens) color(tokens);
      out(barsText(explained));
      if (result.divergence !== undefined) out(`KL(student, teacher) ${result.divergence.toFixed(4)}`);
      out(`pictures and numbers: ${options.out}`);
    }
    return ExitCode.done;
  } finally {
    student.dispose();
    teacher?.dispose();
  }
}

/** @throws TrainerError `missing` where there is no such task */
async function taskOf({ task, format, index, split, seed }: AttributeOptions): Promise<VisualTask> {
  if (task === undefined) {
    const charts = await createNanoCharts({ seed, names: "words" });
    return (await charts.chart(split, index)).task;
  }
  let at = 0;
  for await (const found of readTasks(await filesOf({ path: task }), { format: format ?? "tasks" }))
    if (at++ === index) return found;
  throw new TrainerError(
    "missing",
    `${task} holds ${at} tasks that can be read, so none of number ${index}; they count from 0`,
  );
}

function cellsOf({ images, model }: QwenVLPolicy, { content }: VisualTask): { rows: number; columns: number } {
  const [, height, width] = images.get(content.image).grid;
  const merge = model.config.vision.spatialMergeSize;
  return { rows: height / merge, columns: width / merge };
}

function resultOf({ task, turn, isCall, student, teacher }: ExplainedCall) {
  return {
    version: 1,
    task: task.id,
    question: task.content.question,
    text: turn.text,
    isCall,
    student: attributionToJson(student),
    ...(teacher && {
      teacher: attributionToJson(teacher),
      divergence: divergence(
        "kl_student_teacher",
        distribution(student.blockScores),
        distribution(teacher.blockScores),
      ),
    }),
  };
}
