// What a run repeats: one step's work, whatever it trains on.
import type { StepLog, Trace } from "@iapo/rollout-trace";
import type { Metrics } from "../metrics/rollout-metrics.ts";
import type { Learner } from "../update/learner.ts";
import { failureOfPart } from "./out-of-memory.ts";

export interface RecipeStep {
  /** What is kept of the rollouts. */
  readonly traces: readonly Trace[];
  readonly log: Omit<StepLog, "metrics">;
  readonly metrics: Metrics;
  /** The place in the order of tasks where the next step begins. */
  readonly cursor: number;
  /** Why there was nothing to train on, where there was nothing. */
  readonly empty?: string | undefined;
  /** Milliseconds by part of the work. */
  readonly timings: Readonly<Record<string, number>>;
}

/** Where a run stands before a step. */
export interface Place {
  readonly step: number;
  /** The place in the order of tasks. */
  readonly cursor: number;
  readonly signal?: AbortSignal | undefined;
  /** Hears the name of each part of the work as it begins. */
  readonly onPhase?: ((phase: string) => void) | undefined;
}

export interface Recipe {
  readonly learner: Learner;
  /** Does one step: the same place in the run, from the same weights, gives the same result. */
  step(place: Place): Promise<RecipeStep>;
  dispose(): void;
}

/** Measures the parts of a step, and tells of each as it begins. No moment counts for two parts. */
export class Stopwatch {
  readonly timings: Record<string, number> = {};
  readonly #onPhase: Place["onPhase"];

  constructor(onPhase?: Place["onPhase"]) {
    this.#onPhase = onPhase;
  }

  /** Counts what was measured within a part for parts of their own. */
  split(part: string, within: Readonly<Record<string, number>>): void {
    for (const [name, milliseconds] of Object.entries(within)) {
      this.timings[name] = (this.timings[name] ?? 0) + milliseconds;
      this.timings[part] = Math.max(0, (this.timings[part] ?? 0) - milliseconds);
    }
  }

  async time<T>(part: string, work: () => Promise<T>): Promise<T> {
    this.#onPhase?.(part);
    const start = performance.now();
    try {
      return await work();
    } catch (error) {
      throw failureOfPart(part, error);
    } finally {
      this.timings[part] = (this.timings[part] ?? 0) + performance.now() - start;
    }
  }
}
