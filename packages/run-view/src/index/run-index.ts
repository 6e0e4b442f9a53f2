// The index of one folder of step files: read once, kept on disk, and brought up to date as files come, change and go.
import { dirname, join } from "node:path";
import type { ImageRef } from "@iapo/rollout-trace";
import { stepFiles } from "@iapo/rollout-trace/files";
import type { IndexFile } from "./index-file.ts";
import { MetricColumns } from "./metric-columns.ts";
import { type FileState, fileState, isSameFile, readStepEntry, type StepEntry } from "./step-entry.ts";
import { TimingsTail } from "./timings-tail.ts";

/** A step as it is held: its metrics are in the columns. */
export interface IndexedStep extends Omit<StepEntry, "metrics" | "images"> {
  readonly path: string;
  /** Whether a checkpoint holds it: another may still take its place when the run is resumed. */
  readonly isPublished: boolean;
  /** By id. */
  readonly images: ReadonlyMap<string, ImageRef>;
}

export interface Refreshed {
  /** Steps that were added or replaced. */
  readonly changed: readonly number[];
  /** Steps that are no more: the run was resumed from a checkpoint before them. */
  readonly gone: readonly number[];
}

type Place = Pick<IndexedStep, "step" | "path" | "isPublished">;

/** A look at a file waits for the disk. */
const lookedAtOnce = 64;

export class RunIndex {
  readonly columns: MetricColumns = new MetricColumns();
  readonly #folder: string;
  readonly #file: IndexFile;
  readonly #timings: TimingsTail;
  readonly #steps = new Map<number, IndexedStep>();
  #sorted: readonly IndexedStep[] | undefined;
  #refreshing: Promise<Refreshed> | undefined;
  #kept: Map<number, StepEntry> | undefined;
  #pending = 0;

  /**
   * @param folder of the step files
   * @param file where the index is kept
   */
  constructor(folder: string, file: IndexFile) {
    this.#folder = folder;
    this.#file = file;
    this.#timings = new TimingsTail(join(dirname(folder), "timings.jsonl"));
  }

  /** Ascending. */
  get steps(): readonly IndexedStep[] {
    this.#sorted ??= [...this.#steps.values()].sort((a, b) => a.step - b.step);
    return this.#sorted;
  }

  /** Seconds by part; undefined where nothing was said of them yet. */
  timings(step: number): Readonly<Record<string, number>> | undefined {
    return this.#timings.get(step)?.timings;
  }

  /** Files that are still to be read. */
  get pending(): number {
    return this.#pending;
  }

  step(step: number): IndexedStep | undefined {
    return this.#steps.get(step);
  }

  /** Compares what is held with the files. Calls while one is at work get its result. @throws TraceError where the folder cannot be listed */
  refresh(): Promise<Refreshed> {
    this.#refreshing ??= this.#refresh().finally(() => {
      this.#refreshing = undefined;
    });
    return this.#refreshing;
  }

  async close(): Promise<void> {
    await this.#refreshing?.catch(() => undefined);
    await this.#file.close();
  }

  async #refresh(): Promise<Refreshed> {
    const listed = await stepFiles(this.#folder);
    // A step is published when its file has its final name; both names are there while it is made again.
    const files = new Map(
      listed.toSorted((a, b) => Number(b.partial) - Number(a.partial)).map((file) => [file.step, file]),
    );
    const gone = [...this.#steps.keys()].filter((step) => !files.has(step));
    for (const step of gone) this.#delete(step);
    const changed: number[] = [];
    const kept = this.#kept ?? (files.size > 0 ? await this.#file.load() : undefined);
    this.#kept = kept;
    this.#pending = files.size;
    const places = [...files.values()].map(({ step, path, partial }) => ({ step, path, isPublished: !partial }));
    for (let first = 0; first < places.length; first += lookedAtOnce) {
      const some = places.slice(first, first + lookedAtOnce);
      const states = await Promise.all(some.map((place) => this.#lookAt(place)));
      for (const [i, place] of some.entries()) {
        const state = states[i];
        if (state && (await this.#take(place, state, kept))) changed.push(place.step);
        this.#pending--;
      }
    }
    this.#kept?.clear(); // what was kept is taken by now, or of no use
    const measured = await this.#timings.read();
    for (const step of measured) this.columns.add({ step, metrics: this.#timings.get(step)?.memory ?? {} });
    return { changed: [...new Set([...changed, ...measured.filter((step) => this.#steps.has(step))])], gone };
  }

  /** Undefined where there is nothing to be done: a published step does not change; one that is renamed or deleted just now is found by the next look. */
  async #lookAt({ step, path }: Place): Promise<FileState | undefined> {
    const held = this.#steps.get(step);
    if (held?.isPublished && held.path === path && held.damage === undefined) return undefined;
    return fileState(path).catch(() => undefined);
  }

  /** Whether it is new. */
  async #take(place: Place, state: FileState, kept: ReadonlyMap<number, StepEntry> | undefined): Promise<boolean> {
    const { step, path, isPublished } = place;
    const held = this.#steps.get(step);
    if (held && isSameFile(held.file, state)) {
      if (held.path !== path) this.#hold({ ...held, path, isPublished });
      return false;
    }
    const known = kept?.get(step);
    if (known && isSameFile(known.file, state)) {
      this.#add(known, place);
      return true;
    }
    const entry = await readStepEntry(path, step);
    if (entry.damage !== undefined && !isPublished) return false; // it is being written
    await this.#file.add(entry);
    this.#add(entry, place);
    return true;
  }

  #add({ metrics, images, ...entry }: StepEntry, place: Place): void {
    this.columns.set({ step: entry.step, metrics: { ...metrics, ...this.#timings.get(entry.step)?.memory } });
    this.#hold({ ...entry, ...place, images: new Map(images.map((image) => [image.id, image])) });
  }

  #hold(step: IndexedStep): void {
    this.#steps.set(step.step, step);
    this.#sorted = undefined;
  }

  #delete(step: number): void {
    this.#steps.delete(step);
    this.columns.delete(step);
    this.#sorted = undefined;
  }
}
