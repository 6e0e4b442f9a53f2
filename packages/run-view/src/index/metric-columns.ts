// Metrics of a run by column: 100,000 steps of 50 metrics are 40 MB of numbers, and would be several times that as objects.
import type { StepMetrics } from "@iapo/run-report";

/** What a step did not have. A gap, which a run writes where a value was not finite, is {@link gap}. */
const absent = Number.NaN;
const gap = Number.POSITIVE_INFINITY;

export class MetricColumns {
  #steps: number[] = [];
  readonly #columns = new Map<string, number[]>();
  #isSorted = true;
  readonly #places = new Map<number, number>();

  get names(): ReadonlySet<string> {
    return new Set(this.#columns.keys());
  }

  /** Adds a step, or puts it in the place of what was said of it before. */
  set({ step, metrics }: StepMetrics): void {
    const place = this.#places.get(step) ?? this.#steps.length;
    if (place === this.#steps.length) {
      this.#isSorted &&= step >= (this.#steps.at(-1) ?? -1);
      this.#steps.push(step);
      this.#places.set(step, place);
    } else for (const column of this.#columns.values()) if (place < column.length) column[place] = absent;
    this.#write(place, metrics);
  }

  /** Adds to what is said of a step; nothing where the step is not there. */
  add({ step, metrics }: StepMetrics): void {
    const place = this.#places.get(step);
    if (place !== undefined) this.#write(place, metrics);
  }

  #write(place: number, metrics: StepMetrics["metrics"]): void {
    for (const [name, value] of Object.entries(metrics)) {
      let column = this.#columns.get(name);
      if (!column) {
        column = [];
        this.#columns.set(name, column);
      }
      while (column.length < place) column.push(absent);
      column[place] = value ?? gap;
    }
  }

  delete(step: number): void {
    const place = this.#places.get(step);
    if (place === undefined) return;
    this.#steps.splice(place, 1);
    for (const column of this.#columns.values()) if (place < column.length) column.splice(place, 1);
    this.#places.clear();
    for (const [i, one] of this.#steps.entries()) this.#places.set(one, i);
  }

  /** All of a step. */
  of(step: number): StepMetrics["metrics"] {
    const place = this.#places.get(step);
    const metrics: Record<string, number | null> = {};
    if (place !== undefined) for (const [name, column] of this.#columns) read(metrics, name, column[place]);
    return metrics;
  }

  /** The values of some metrics, as steps that have nothing else. */
  steps(names: readonly string[]): StepMetrics[] {
    this.#sort();
    const columns = names.flatMap((name): [string, number[]][] => {
      const column = this.#columns.get(name);
      return column ? [[name, column]] : [];
    });
    return this.#steps.map((step, i) => {
      const metrics: Record<string, number | null> = {};
      for (const [name, column] of columns) read(metrics, name, column[i]);
      return { step, metrics };
    });
  }

  /** Steps come in order but where an index was read whose lines did not. */
  #sort(): void {
    if (this.#isSorted) return;
    const order = this.#steps.map((_, i) => i).sort((a, b) => (this.#steps[a] ?? 0) - (this.#steps[b] ?? 0));
    for (const [name, column] of this.#columns)
      this.#columns.set(
        name,
        order.map((i) => column[i] ?? absent),
      );
    this.#steps = order.map((i) => this.#steps[i] ?? 0);
    this.#places.clear();
    for (const [i, one] of this.#steps.entries()) this.#places.set(one, i);
    this.#isSorted = true;
  }
}

function read(metrics: Record<string, number | null>, name: string, value: number = absent): void {
  if (!Number.isNaN(value)) metrics[name] = value === gap ? null : value;
}
