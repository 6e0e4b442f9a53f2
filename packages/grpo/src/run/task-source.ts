// Where tasks come from, and in which order: a pure function of the seed, so that a place in the order is one number.
import { setImmediate } from "node:timers/promises";
import type { Task } from "@iapo/rollout-trace";
import { deriveSeed, type Seed } from "@iapo/tensor-core";
import { GrpoError } from "../error.ts";
import { at } from "../math/batch.ts";
import { shuffled } from "../update/shuffled.ts";

export interface TaskSource<T = Task> {
  readonly length: number;
  /** The task with this number, from 0. */
  task(index: number): T | Promise<T>;
}

/** Tasks that are made at the same time. */
const TOGETHER = 16;

/** Tasks in an order shuffled again each time that all of them were given. */
export class TaskOrder<T = Task> {
  readonly #source: TaskSource<T>;
  readonly #seed: Seed;
  #epoch = -1;
  #order: readonly number[] = [];
  #ahead: { readonly place: number; readonly count: number; readonly tasks: Promise<T[]> } | undefined;

  /** @throws GrpoError `data` for a source without tasks */
  constructor(source: TaskSource<T>, seed: Seed) {
    if (!(source.length > 0)) throw new GrpoError("data", "the source of tasks is empty; give at least one task");
    this.#source = source;
    this.#seed = seed;
  }

  /** `count` tasks from a place in the order on. @throws the reason of `signal` where it aborts */
  async take(place: number, count: number, signal?: AbortSignal): Promise<T[]> {
    const ahead = this.#ahead;
    this.#ahead = undefined;
    return ahead?.place === place && ahead.count === count ? ahead.tasks : this.#make(place, count, signal);
  }

  /**
   * Makes what the next `take` will ask for, from when the caller first waits on: for the GPU, say. What fails is thrown by that `take`.
   */
  prepare(place: number, count: number): void {
    const tasks = this.#make(place, count);
    tasks.catch(() => {}); // nobody may ever take them
    this.#ahead = { place, count, tasks };
  }

  /** Some at a time: a signal is heard in between, and what fails does so before all are begun. */
  async #make(place: number, count: number, signal?: AbortSignal): Promise<T[]> {
    const tasks: T[] = [];
    while (tasks.length < count) {
      await setImmediate();
      signal?.throwIfAborted();
      const together = Math.min(TOGETHER, count - tasks.length);
      const start = place + tasks.length;
      const made = Array.from({ length: together }, (_, i) => this.#source.task(this.#indexAt(start + i)));
      tasks.push(...(await Promise.all(made)));
    }
    return tasks;
  }

  #indexAt(place: number): number {
    const { length } = this.#source;
    const epoch = Math.floor(place / length);
    if (epoch !== this.#epoch) {
      const all = Array.from({ length }, (_, i) => i);
      this.#order = shuffled(all, deriveSeed(...this.#seed, epoch));
      this.#epoch = epoch;
    }
    return at(this.#order, place % length);
  }
}
