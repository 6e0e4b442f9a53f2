// A run's metrics told to a tracker, step by step: each step once, whatever was killed between, and training goes on where the tracker does not answer.
import { randomUUID } from "node:crypto";
import { readFile } from "node:fs/promises";
import { basename, join } from "node:path";
import type { Metrics } from "@iapo/grpo";
import { listSteps, writeFileAtomic } from "@iapo/rollout-trace/files";
import { readMetrics, type StepMetrics } from "@iapo/run-report";
import { z } from "zod";

export interface TrackedRun {
  /** Of its own in the tracker. */
  readonly id: string;
  readonly name: string;
  readonly directory: string;
  /** As it was given, with all that it extends. */
  readonly config: unknown;
}

/** What a tracker does; each call rejects where it was not done. */
export interface Tracker {
  readonly name: string;
  /** Steps in order, each once, unless the run was killed while they were sent. */
  send(run: TrackedRun, steps: readonly StepMetrics[]): Promise<void>;
  /** The run has ended, or waits for a resume. */
  end(run: TrackedRun, done: boolean): Promise<void>;
}

const stateSchema = z.strictObject({ id: z.string().min(1), sent: z.int().min(0) });

/** Steps that are sent together. */
const TOGETHER = 100;

export class RunLog {
  readonly #tracker: Tracker;
  readonly #run: TrackedRun;
  readonly #warn: (words: string) => void;
  #waiting: StepMetrics[] = [];
  /** Steps that the tracker has. */
  #sent: number;
  #work: Promise<void> = Promise.resolve();
  #said: string | undefined;

  private constructor(tracker: Tracker, run: TrackedRun, sent: number, warn: (words: string) => void) {
    this.#tracker = tracker;
    this.#run = run;
    this.#sent = sent;
    this.#warn = warn;
  }

  /** Of a run whose directory is there. Published steps that the tracker lacks are sent first. */
  static async open(
    tracker: Tracker,
    given: Pick<TrackedRun, "directory" | "config">,
    warn: (words: string) => void,
  ): Promise<RunLog> {
    const state = await readFile(stateFile(given.directory, tracker), "utf8").catch(() => undefined);
    const known = stateSchema.safeParse(parsed(state));
    const { id, sent } = known.success ? known.data : { id: randomUUID().replaceAll("-", "").slice(0, 16), sent: 0 };
    const log = new RunLog(tracker, { ...given, id, name: basename(given.directory) }, sent, warn);
    const published = await listSteps(join(given.directory, "steps"));
    for (const file of published.filter(({ step }) => step >= sent)) log.#waiting.push(await readMetrics(file));
    return log;
  }

  /** Takes a finished step; what is sent is sent behind the training. */
  add(step: number, metrics: Metrics): void {
    if (step < this.#sent || this.#waiting.some((one) => one.step === step)) return; // made again after a kill: the same numbers
    this.#waiting.push({ step, metrics });
    this.#work = this.#work.then(() => this.#flush());
  }

  /** Sends what is left. What cannot be sent is told, and sent by the next start of the run. */
  async close(done: boolean): Promise<void> {
    await this.#work;
    await this.#flush();
    if (this.#waiting.length > 0) {
      const steps = `${this.#waiting.length} steps were not sent to ${this.#tracker.name}`;
      return this.#warn(`${steps}: iapo train --resume ${this.#run.directory} --log ${this.#tracker.name} sends them`);
    }
    await this.#tracker.end(this.#run, done).catch((error: Error) => this.#tell(error));
  }

  async #flush(): Promise<void> {
    try {
      while (this.#waiting.length > 0) {
        const steps = this.#waiting.slice(0, TOGETHER);
        await this.#tracker.send(this.#run, steps);
        this.#waiting = this.#waiting.slice(steps.length);
        this.#sent = Math.max(this.#sent, ...steps.map(({ step }) => step + 1));
        const state = `${JSON.stringify({ id: this.#run.id, sent: this.#sent })}\n`;
        await writeFileAtomic(stateFile(this.#run.directory, this.#tracker), state);
      }
    } catch (error) {
      this.#tell(error as Error);
    }
  }

  /** The same trouble once. */
  #tell({ message }: Error): void {
    if (message === this.#said) return;
    this.#said = message;
    this.#warn(`${this.#tracker.name}: ${message}`);
  }
}

function stateFile(directory: string, { name }: Tracker): string {
  return join(directory, `log-${name}.json`);
}

function parsed(text: string | undefined): unknown {
  try {
    return text === undefined ? undefined : JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Finite values; a tracker has no place for others. */
export function finite(metrics: StepMetrics["metrics"]): [name: string, value: number][] {
  return Object.entries(metrics).flatMap(([name, value]) =>
    typeof value === "number" && Number.isFinite(value) ? [[name, value] as [string, number]] : [],
  );
}

/** Leaves of a configuration by their dotted keys, for trackers that hold flat ones. */
export function flat(config: unknown, at = ""): [key: string, value: string][] {
  if (typeof config !== "object" || config === null) return at === "" ? [] : [[at, String(config)]];
  return Object.entries(config).flatMap(([key, value]) => flat(value, at === "" ? key : `${at}.${key}`));
}
