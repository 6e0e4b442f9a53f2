// A teacher's own calls to a configuration's tasks, written and scored before the run that will ask for them.
import { join } from "node:path";
import { CallCache, TeacherCalls } from "@iapo/iapo";
import { writesCalls } from "@iapo/iapo/config";
import type { Device } from "@iapo/tensor-core";
import { openTasks } from "@iapo/vqa-tasks/sources";
import { JobsError } from "./error.ts";
import type { Job } from "./open-job.ts";
import { environmentOf, withoutJudge } from "./parts/environment.ts";
import { onDevice } from "./parts/on-device.ts";
import { openTeacher } from "./parts/teacher.ts";
import { requireTrust } from "./parts/user-modules.ts";

export interface CacheOptions {
  /** Of the configuration's tasks, the first so many. */
  readonly limit: number;
  /** Default: one that is opened for this. */
  readonly device?: Device | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((done: number, of: number) => void) | undefined;
  readonly onWarning?: ((message: string) => void) | undefined;
}

export interface CachedCalls {
  readonly directory: string;
  readonly tasks: number;
  readonly withCall: number;
}

/** Prompts that are answered and scored together. */
const BATCH = 16;

/** Calls that are there already are not made again. @throws JobsError `config` where the run will ask for none, `untrusted`; the signal's reason */
export async function cacheTeacherCalls(job: Job, options: CacheOptions): Promise<CachedCalls> {
  const { limit, signal, onProgress, onWarning } = options;
  const { teacher: settings, iapo, grpo, data, environment } = job.config;
  if (!iapo || !settings || !writesCalls(iapo))
    throw new JobsError(
      "config",
      `${job.name}: only a run with iapo.teacherTarget teacher_call, or iapo.compare teacher_with_own_call, asks for a teacher's own calls`,
    );
  requireTrust(job);
  const directory = settings.cache ?? join(job.directory, "teacher-calls");
  const { train } = await openTasks(data);
  const { prompt } = await environmentOf(withoutJudge(environment));
  const count = Math.min(limit, train.length);
  return onDevice(options.device, async (device) => {
    const teacher = await openTeacher(device, settings, { signal });
    try {
      const written = { settings: iapo, seed: grpo.seed, maxTokens: grpo.rollout.maxTokens };
      const calls = new TeacherCalls(teacher, written, new CallCache(directory, (message) => onWarning?.(message)));
      let withCall = 0;
      for (let at = 0; at < count; at += BATCH) {
        signal?.throwIfAborted();
        const places = Array.from({ length: Math.min(BATCH, count - at) }, (_, i) => at + i);
        const tasks = await Promise.all(places.map((place) => train.task(place)));
        withCall += (await calls.to(tasks.map(prompt))).filter(({ isCall }) => isCall).length;
        onProgress?.(at + tasks.length, count);
      }
      return { directory, tasks: count, withCall };
    } finally {
      teacher.dispose();
    }
  });
}
