// iapo attribute --cache: a teacher's own calls to a configuration's tasks, written and scored before the run that will ask for them.
import { join } from "node:path";
import { CallCache, TeacherCalls } from "@iapo/iapo";
import { environmentOf, loadConfig, openTeacher, runDirectory, withoutJudge } from "@iapo/jobs";
import { openDevice } from "@iapo/tensor-core";
import { openTasks } from "@iapo/vqa-tasks/sources";
import { TrainerError } from "../error.ts";
import { ExitCode } from "../exit-codes.ts";
import type { CliIo } from "../io.ts";

export interface CacheOptions {
  readonly config: string;
  /** Of the configuration's tasks, the first so many. */
  readonly limit: number;
}

/** Prompts that are answered and scored together. */
const BATCH = 16;

/** Calls that are there already are not made again. @throws TrainerError `config` where the run will ask for none */
export async function cacheCalls(
  { config: source, limit }: CacheOptions,
  { out, note, signal }: CliIo,
): Promise<number> {
  const loaded = loadConfig(source);
  const { teacher: settings, iapo, grpo, data, environment: options } = loaded.config;
  if (!iapo || !settings || iapo.teacherTarget !== "teacher_call")
    throw new TrainerError(
      "config",
      `${source}: only a run with iapo.teacherTarget teacher_call asks for a teacher's own calls`,
    );
  const directory = settings.cache ?? join(runDirectory(loaded, undefined), "teacher-calls");
  const { train } = await openTasks(data);
  const { prompt } = await environmentOf(withoutJudge(options));
  const count = Math.min(limit, train.length);
  using device = await openDevice();
  const teacher = await openTeacher(device, settings, { signal });
  try {
    const written = { settings: iapo, seed: grpo.seed, maxTokens: grpo.rollout.maxTokens };
    const calls = new TeacherCalls(teacher, written, new CallCache(directory, note));
    let withCall = 0;
    for (let at = 0; at < count; at += BATCH) {
      if (signal.aborted) return ExitCode.interrupted;
      const places = Array.from({ length: Math.min(BATCH, count - at) }, (_, i) => at + i);
      const tasks = await Promise.all(places.map((place) => train.task(place)));
      withCall += (await calls.to(tasks.map(prompt))).filter(({ isCall }) => isCall).length;
      note(`${at + tasks.length} of ${count} tasks`);
    }
    out(`${count} tasks, ${withCall} with a call: ${directory}`);
    return ExitCode.done;
  } finally {
    teacher.dispose();
  }
}
