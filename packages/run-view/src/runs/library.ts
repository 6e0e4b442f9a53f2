// The runs that are looked at, kept up to date while they train. Listeners hear what changed.
import { type FSWatcher, watch } from "node:fs";
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { findRunRecord, type RunRecord } from "@iapo/grpo/run-directory";
import { IndexFile } from "../index/index-file.ts";
import { RunIndex } from "../index/run-index.ts";
import { type FoundRun, findRuns } from "./find-runs.ts";
import { type RunState, readRunState } from "./run-state.ts";

export interface ViewedRun extends FoundRun {
  readonly index: RunIndex;
  /** Undefined where there is none yet, or none that can be read. */
  readonly record: RunRecord | undefined;
  readonly state: RunState;
  /** What stands against reading it. */
  readonly problem: string | undefined;
  /** When what its workers are at was last written; 0 where nothing is. */
  readonly fleetAt: number;
}

/** `steps`: those that changed, the last few of them. */
export interface Change {
  readonly run: string;
  readonly steps: readonly number[];
}

/** Notices of the file system come at once, but not on every disk: runs at work are looked at often, others and new ones now and then. */
const [settleMilliseconds, lookMilliseconds, searchMilliseconds] = [100, 1500, 10_000] as const;

export class Library {
  readonly #directories: readonly string[];
  readonly #runs = new Map<string, ViewedRun>();
  readonly #watchers = new Map<string, FSWatcher>();
  readonly #listeners = new Set<(change: Change) => void>();
  readonly #due = new Map<string, NodeJS.Timeout>();
  #look: NodeJS.Timeout | undefined;
  #lastSearch = 0;
  #isClosed = false;

  private constructor(directories: readonly string[]) {
    this.#directories = directories;
  }

  /** Finds the runs; what is in them is read behind. @throws RunViewError `missing` */
  static async open(directories: readonly string[]): Promise<Library> {
    const library = new Library(directories);
    await library.#search();
    library.#schedule();
    return library;
  }

  get runs(): readonly ViewedRun[] {
    return [...this.#runs.values()];
  }

  run(name: string): ViewedRun | undefined {
    return this.#runs.get(name);
  }

  /** Returns what ends the listening. */
  listen(listener: (change: Change) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Reads what is new of all runs, or of one. Never throws: what stands against it is said with the run. */
  async refresh(name?: string): Promise<void> {
    for (const run of name === undefined ? this.runs : [this.#runs.get(name)]) if (run) await this.#refresh(run);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#look);
    for (const timer of this.#due.values()) clearTimeout(timer);
    for (const watcher of this.#watchers.values()) watcher.close();
    for (const { index } of this.runs) await index.close();
  }

  async #search(): Promise<void> {
    this.#lastSearch = performance.now();
    const found = await findRuns(this.#directories);
    const names = new Set(found.map(({ name }) => name));
    for (const [name, { index }] of this.#runs)
      if (!names.has(name)) {
        this.#runs.delete(name);
        this.#watchers.get(name)?.close();
        this.#watchers.delete(name);
        await index.close();
      }
    for (const one of found) {
      if (this.#runs.get(one.name)?.steps === one.steps) continue;
      const index = new RunIndex(one.steps, new IndexFile(one.directory, one.indexName));
      const state: RunState = {
        state: one.kind === "run" ? "died" : "evaluation",
        writer: undefined,
        done: 0,
        planned: undefined,
      };
      this.#runs.set(one.name, { ...one, index, record: undefined, state, problem: undefined, fleetAt: 0 });
    }
  }

  #schedule(): void {
    if (this.#isClosed) return;
    this.#look = setTimeout(async () => {
      const isAll = performance.now() - this.#lastSearch > searchMilliseconds;
      if (isAll) await this.#search().catch(() => undefined);
      for (const run of this.runs) if (isAll || run.state.state === "training") await this.#refresh(run);
      this.#schedule();
    }, lookMilliseconds);
  }

  async #refresh(run: ViewedRun): Promise<void> {
    const before = run.state;
    let [problem, record]: [string | undefined, RunRecord | undefined] = [undefined, run.record];
    let steps: readonly number[] = [];
    try {
      const { changed, gone } = await run.index.refresh();
      steps = [...gone, ...changed];
      if (run.kind === "run") record ??= await findRunRecord(run.directory);
    } catch (error) {
      problem = (error as Error).message;
    }
    const last = run.index.steps.at(-1);
    const state =
      run.kind === "run" ? await readRunState(run.directory, last) : { ...before, done: last ? last.step + 1 : 0 };
    if (this.#isClosed || !this.#runs.has(run.name)) return;
    const fleetAt = await stat(join(run.directory, "fleet-now.json")).then(
      ({ mtimeMs }) => mtimeMs,
      () => 0,
    );
    this.#runs.set(run.name, { ...run, record, state, problem, fleetAt });
    this.#watch(run);
    const isOther =
      state.state !== before.state || state.done !== before.done || problem !== run.problem || fleetAt !== run.fleetAt;
    if (steps.length > 0 || isOther)
      for (const listener of this.#listeners) listener({ run: run.name, steps: steps.slice(-20) });
  }

  /** The folder of a run that has just begun is not there yet. */
  #watch({ name, steps }: ViewedRun): void {
    if (this.#watchers.has(name)) return;
    try {
      const watcher = watch(steps, () => this.#soon(name));
      watcher.on("error", () => {
        watcher.close();
        this.#watchers.delete(name);
      });
      this.#watchers.set(name, watcher);
    } catch {
      // it is looked at now and then all the same
    }
  }

  #soon(name: string): void {
    if (this.#due.has(name) || this.#isClosed) return;
    const timer = setTimeout(() => {
      this.#due.delete(name);
      void this.refresh(name);
    }, settleMilliseconds);
    this.#due.set(name, timer);
  }
}
