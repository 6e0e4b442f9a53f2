// Where the queue stands, in one file that is there whole or not at all.
import { readFile, stat } from "node:fs/promises";
import { problemOf } from "@iapo/rollout-trace";
import { writeFileAtomic } from "@iapo/rollout-trace/files";
import { z } from "zod";
import { IapoError } from "../../error.ts";

const jobSchema = z.strictObject({
  /** `begun`: it goes on when the queue does. `failed`: it is tried again when the queue is started again. */
  state: z.enum(["begun", "done", "failed", "unavailable"]),
  /** SHA-256 of all that decides its result: a job of other settings is not done. */
  key: z.string(),
  /** Of `failed` and `unavailable`. */
  reason: z.string().optional(),
  /** Wall time of all sittings, of everything that was done for it. */
  seconds: z.number().min(0),
});

const schema = z.strictObject({ version: z.literal(1), jobs: z.record(z.string(), jobSchema) });

export type JobState = z.infer<typeof jobSchema>;

const MOST_BYTES = 2 ** 22;

export class QueueState {
  readonly #file: string;
  readonly #jobs: Record<string, JobState>;

  private constructor(file: string, jobs: Record<string, JobState>) {
    this.#file = file;
    this.#jobs = jobs;
  }

  /** @throws IapoError `invalid` */
  static async open(file: string): Promise<QueueState> {
    try {
      if ((await stat(file)).size > MOST_BYTES) throw new Error("it is far too large");
      return new QueueState(file, schema.parse(JSON.parse(await readFile(file, "utf8"))).jobs);
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code === "ENOENT") return new QueueState(file, {});
      const problem = problemOf(cause);
      const advice = "delete it: runs that are done are looked at again, and not made again";
      throw new IapoError("invalid", `${file} is not the state of a queue: ${problem}; ${advice}`, { cause });
    }
  }

  get(id: string): JobState | undefined {
    return Object.hasOwn(this.#jobs, id) ? this.#jobs[id] : undefined;
  }

  isDone(id: string, key: string): boolean {
    const found = this.get(id);
    return found?.state === "done" && found.key === key;
  }

  async set(id: string, state: JobState): Promise<void> {
    this.#jobs[id] = state;
    await writeFileAtomic(this.#file, `${JSON.stringify({ version: 1, jobs: this.#jobs }, null, 2)}\n`);
  }
}
