// What a run's directory says of its workers: at the moment in `fleet-now.json`, in sum in `run.json`. No hash covers either.
import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { Crew, CrewStep, WorkDone } from "@iapo/fleet";
import { findRunRecord, type RunRecord, writeRunRecord } from "@iapo/grpo/run-directory";
import { writeFileAtomic } from "@iapo/rollout-trace/files";

const LOOK_EVERY = 1000;

/** Shows who is at what, as long as the run goes on. */
export class FleetNow implements AsyncDisposable {
  readonly #path: string;
  readonly #crew: Crew;
  readonly #timer: NodeJS.Timeout;
  #written = "";
  #writing: Promise<void> = Promise.resolve();

  constructor(crew: Crew, directory: string) {
    this.#path = join(directory, "fleet-now.json");
    this.#crew = crew;
    this.#timer = setInterval(() => this.#look(), LOOK_EVERY).unref();
  }

  #look(): void {
    const workers = this.#crew.members().map(({ id, host, roles, done, at, error }) => ({
      ...{ id, host, roles, done, error },
      at: at ?? null,
    }));
    const text = JSON.stringify(workers);
    if (text === this.#written) return;
    this.#written = text;
    const content = `${JSON.stringify({ at: new Date().toISOString(), workers })}\n`;
    // The run goes on without: what it is at is told again with the next change.
    this.#writing = this.#writing.then(() => writeFileAtomic(this.#path, content)).catch(() => {});
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer);
    await this.#writing;
    await rm(this.#path, { force: true });
  }
}

/** Adds to what `run.json` says that workers did. */
export class WorkRecord {
  readonly #directory: string;
  readonly #mixed: boolean;
  readonly #steps: CrewStep[] = [];

  constructor(directory: string, mixed: boolean) {
    this.#directory = directory;
    this.#mixed = mixed;
  }

  add(step: CrewStep): void {
    this.#steps.push(step);
  }

  async write(): Promise<void> {
    const record = await findRunRecord(this.#directory);
    if (!record || (this.#steps.length === 0 && !this.#mixed)) return;
    const { mixed = false, workers = {} } = record.fleet ?? {};
    const all = this.#steps.reduce((sum, step) => summed(sum, step.workers), workers);
    await writeRunRecord(this.#directory, { ...record, fleet: { mixed: mixed || this.#mixed, workers: all } });
  }
}

type Workers = NonNullable<RunRecord["fleet"]>["workers"];

function summed(sum: Workers, more: Readonly<Record<string, WorkDone>>): Workers {
  const all: Workers = { ...sum };
  for (const [id, { host, units, milliseconds }] of Object.entries(more)) {
    const before = all[id] ?? { host, units: 0, milliseconds: 0 };
    all[id] = { host, units: before.units + units, milliseconds: before.milliseconds + milliseconds };
  }
  return all;
}
