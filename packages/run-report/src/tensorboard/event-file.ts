// A run's event file for TensorBoard, beside its steps: one value for each metric and step.
import { type FileHandle, open, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { listSteps } from "@iapo/rollout-trace/files";
import { readMemory, readMetrics, readTimings } from "../runs/run-files.ts";
import { scalarRecord, versionRecord } from "./event.ts";

/** A run has one such file; the digits stand where TensorBoard looks for the time of its making, by which it orders files. */
export const eventFileName = "events.out.tfevents.0000000000.iapo";

type Scalars = Readonly<Record<string, number | null>>;

/**
 * Takes the metrics of a run as they come. The file is made again from the published steps before the first step added, so it has no step
 * twice and lacks none, whatever was written before a kill. Wall time counts the seconds of training from 0: pauses do not show.
 */
export class EventFile {
  readonly #run: string;
  #file: Promise<FileHandle> | undefined;
  #written: Promise<void> = Promise.resolve();
  #wallTime = 0;
  #lastAdded = performance.now();

  /** @param run its directory */
  constructor(run: string) {
    this.#run = run;
  }

  /** Adds a step, once it is finished. Steps come in order. Writes behind; what fails there is thrown by `close`. */
  add(step: number, scalars: Scalars): void {
    const seconds = (performance.now() - this.#lastAdded) / 1000;
    this.#lastAdded = performance.now();
    this.#file ??= this.#rebuild(step);
    this.#written = this.#append(this.#file, step, scalars, seconds);
    this.#written.catch(() => {}); // `close` throws it
  }

  /** @throws what stood against writing; TraceError where a published step is damaged */
  async close(): Promise<void> {
    this.#file ??= this.#rebuild(Number.POSITIVE_INFINITY);
    const file = await this.#file;
    try {
      await this.#written;
    } finally {
      await file.close();
    }
  }

  async #append(file: Promise<FileHandle>, step: number, scalars: Scalars, seconds: number): Promise<void> {
    const before = this.#written;
    const handle = await file;
    await before;
    this.#wallTime += seconds;
    await handle.appendFile(scalarRecord({ wallTime: this.#wallTime, step, scalars }));
  }

  /** The published steps before `end`, put in place whole. */
  async #rebuild(end: number): Promise<FileHandle> {
    const path = join(this.#run, eventFileName);
    const partial = `${path}.partial`;
    const steps = (await listSteps(join(this.#run, "steps"))).filter(({ step }) => step < end);
    const timings = await readTimings(this.#run);
    const memory = await readMemory(this.#run);
    const handle = await open(partial, "w");
    try {
      await handle.appendFile(versionRecord(0));
      for (const file of steps) {
        const { step, metrics } = await readMetrics(file);
        for (const seconds of Object.values(timings.get(step) ?? {})) this.#wallTime += seconds;
        await handle.appendFile(
          scalarRecord({ wallTime: this.#wallTime, step, scalars: { ...metrics, ...memory.get(step) } }),
        );
      }
      await rename(partial, path);
      return handle;
    } catch (error) {
      await handle.close();
      await rm(partial, { force: true });
      throw error;
    }
  }
}
